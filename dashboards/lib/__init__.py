"""The panel vocabulary on top of grafanalib: panels, queries, layout, and the pass that makes them today's Grafana JSON."""
