"""The catalogue of definitions as JSON and CSV over HTTP, read-only: what dashboards show, for programs."""
