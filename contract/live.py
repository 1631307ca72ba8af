"""Figures that stream: what goes on at this moment, by environment and in all of them, and where Grafana gets them."""

from __future__ import annotations

STREAM, MEASUREMENT = "observatory", "live"
CHANNEL = f"stream/{STREAM}/{MEASUREMENT}"
"""The channel of Grafana Live on which what is pushed to `/api/live/push/observatory` appears."""

FIGURES = ("active_conversations", "running", "executions", "executions_per_second", "errors")
"""Fields of each line, numbers all of them; its one label is `environment`, with `all` for the sum."""
EVERYWHERE = "all"
