"""Configuration, build, check, doctor and the command line: everything that a platform team runs."""
