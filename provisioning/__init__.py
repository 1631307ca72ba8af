"""Everything that a platform team runs: configuration, build, check, doctor and the command line."""
