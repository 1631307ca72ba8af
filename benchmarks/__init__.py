"""`make bench`: what the data plane costs, beside the same questions asked raw, by query-exporter and by prometheus-client.

Each module of `benchmarks.catalogue` measures one concern and yields `Measure`s; the command prints them as a table and writes
them to var/bench/<name>.json with the facts of the machine. Everything happens on 127.0.0.1, with a PostgreSQL of its own.
"""
