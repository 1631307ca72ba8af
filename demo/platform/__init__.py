"""The living platform: what happens in the world becomes counters, database rows and model calls, second by second."""
