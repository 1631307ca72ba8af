"""Mixins: what `build` makes as a Jsonnet library for others, and libraries of others as part of a build."""
