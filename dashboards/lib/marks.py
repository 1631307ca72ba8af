"""Marks on graphs that say what happened then: critical alerts, incidents, new versions, versions found worse."""

from __future__ import annotations

from typing import Any

from dashboards.lib import colours
from dashboards.lib.filters import chosen
from dashboards.lib.firing import of_severity
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

REGRESSIONS = f"""
SELECT r.detected_at AS "time", r.agent || ' ' || r.version || ': ' || r.metric || ' worse (' || r.state || ')' AS text,
       r.environment || ',' || r.source AS tags
FROM analytics.regressions r
WHERE $__timeFilter(r.detected_at) AND r.state <> 'dismissed'
  AND {chosen("r.environment", "environment")} AND {chosen("r.agent", "agent")}
ORDER BY r.detected_at DESC
LIMIT 200
""".strip()

INCIDENTS = """
SELECT i.opened_at AS "time", least(coalesce(i.closed_at, $__timeTo()::timestamptz), $__timeTo()::timestamptz) AS timeend,
       'Incident: ' || i.ref AS text, i.severity AS tags
FROM analytics.incidents i
WHERE i.opened_at <= $__timeTo()::timestamptz AND coalesce(i.closed_at, 'infinity') >= $__timeFrom()::timestamptz
ORDER BY i.opened_at DESC
LIMIT 100
""".strip()


def critical_alerts() -> Json:
    """From when to when a critical alert fired, for any agents: one mark for each of them would cover the graphs, and so would
    warnings."""
    return {
        "name": "Critical alerts",
        "enable": True,
        "hide": False,
        "iconColor": colours.DOWN,
        "datasource": PromQuery.source,
        "expr": f"count by (alertname, environment, team) ({of_severity('firing', 'critical')})",
        "step": "60s",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{environment}}",
        "tagKeys": "team",
    }


def deployments(enabled: bool = False) -> Json:
    """Versions that went into service. Off until somebody asks: a site may have many, or keep no record of them."""
    return of_rows("Deployments", DEPLOYMENTS, colours.NEUTRAL, enabled)


def regressions() -> Json:
    """Versions that were found to be worse than the one before, unless somebody has dismissed the finding."""
    return of_rows("Regressions", REGRESSIONS, colours.DEGRADED, enabled=True)


def incidents() -> Json:
    """From when to when an incident was open, whoever it was about: they are few, and each says it."""
    return of_rows("Incidents", INCIDENTS, colours.YELLOW, enabled=True)


def of_rows(name: str, sql: str, colour: str, enabled: bool) -> Json:
    """What an SQL query finds: columns time, text and tags, and timeend for what lasted."""
    return {
        "name": name,
        "enable": enabled,
        "hide": False,
        "iconColor": colour,
        "datasource": SqlQuery.source,
        "target": {"refId": name, "editorMode": "code", "format": "table", "rawQuery": True, "rawSql": sql},
    }
