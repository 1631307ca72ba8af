"""Kubernetes objects as files: rules and scraping for the Prometheus operator, dashboards for Grafana's sidecar or operator,
routes for Alertmanager, and the exporter itself.

`manifests` makes them of what `build` wrote for the servers, so that both always agree; `folder` keeps a folder of them as a
plan says.
"""
