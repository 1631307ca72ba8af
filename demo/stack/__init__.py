"""The local stack: every part of the observatory on this machine, started, watched and stopped together."""
