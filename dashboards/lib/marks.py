"""Marks on every graph that say what happened at that moment: critical alerts, and versions that went into service."""

from __future__ import annotations

from typing import Any

from dashboards.lib import colours
from dashboards.lib.filters import chosen
from dashboards.lib.firing import FIRING_CRITICAL
from dashboards.lib.queries import PromQuery, SqlQuery

Json = dict[str, Any]

DEPLOYMENTS = f"""
SELECT d.deployed_at AS "time", a.name || ' ' || d.version AS text, d.environment AS tags
FROM analytics.deployments d JOIN analytics.agents a ON a.id = d.agent_id
WHERE $__timeFilter(d.deployed_at) AND {chosen("d.environment", "environment")}
  AND {chosen("a.name", "agent")}
ORDER BY d.deployed_at DESC
LIMIT 200
""".strip()


def critical_alerts() -> Json:
    """From when to when a critical alert fired. Warnings would cover the graphs."""
    return {
        "name": "Critical alerts",
        "enable": True,
        "hide": False,
        "iconColor": colours.DOWN,
        "datasource": PromQuery.source,
        "expr": FIRING_CRITICAL,
        "step": "60s",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{environment}} {{agent}}",
        "tagKeys": "team",
    }


def deployments() -> Json:
    """Versions that went into service. Off until somebody asks: a site may have many, or keep no record of them."""
    return {
        "name": "Deployments",
        "enable": False,
        "hide": False,
        "iconColor": colours.NEUTRAL,
        "datasource": SqlQuery.source,
        "target": {"refId": "Deployments", "editorMode": "code", "format": "table", "rawQuery": True, "rawSql": DEPLOYMENTS},
    }
