"""The process that turns PostgreSQL and Langfuse into Prometheus metrics."""
