"""Checks of PromQL and of rules, without a server: one function each, listed in `catalogue`."""
