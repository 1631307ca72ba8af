"""The query API as a program: its configuration, secrets and tokens."""
