"""Each day's busiest hour, shaded on the graph of the traffic."""

from __future__ import annotations

from contract.keys import panel_id
from dashboards.lib import colours
from dashboards.lib.field import Json
from dashboards.lib.filters import acting, chosen_all
from dashboards.lib.marks import of_rows
from dashboards.lib.queries import in_range
from dashboards.lib.requests import FILTERS
from dashboards.performance.places import KEY

PEAKS = """
SELECT DISTINCT ON (date_trunc('day', h.hour, 'UTC')) h.hour AS "time", h.hour + interval '1 hour' AS timeend,
  'busiest hour of the day: ' || h.n || ' executions' AS text, 'peak' AS tags
FROM (
  SELECT m.hour, sum(m.executions) AS n FROM analytics.trace_metrics_hourly m
  WHERE {range} AND {chosen} GROUP BY 1
) h
ORDER BY date_trunc('day', h.hour, 'UTC'), h.n DESC, h.hour
LIMIT 100
""".strip()


def busiest_hours() -> Json:
    with acting(FILTERS):
        chosen = chosen_all(environment="m.environment", agent="m.agent", version="m.version")
    only_there = {"filter": {"exclude": False, "ids": [panel_id(f"{KEY}/throughput")]}}
    sql = PEAKS.format(range=in_range("m.hour"), chosen=chosen)
    return of_rows("Busiest hours", sql, colours.PURPLE, enabled=True) | only_there
