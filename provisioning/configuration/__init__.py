"""The configuration as people meet it: files and overlays, Jsonnet, a schema for editors, and answers about single keys."""
