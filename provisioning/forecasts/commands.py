"""The click commands of `forecast`: what the exporter worked out last."""

from __future__ import annotations

import json
from pathlib import Path

import click
from psycopg.rows import dict_row

from provisioning.actions.audit import recorded
from provisioning.actions.options import DSN_FILE, FORM
from provisioning.forecasts import told
from provisioning.forecasts.told import Row

_FORECASTS = """
SELECT t.series, t.method, t.days, t.relative, t.share, t.covered, t.change, t.made_at, f.low, f.mid, f.high
FROM analytics.forecast_trials t
LEFT JOIN (SELECT series, avg(low) AS low, avg(value) AS mid, avg(high) AS high
           FROM (SELECT *, row_number() OVER (PARTITION BY series ORDER BY at) AS ahead FROM analytics.forecasts) AS days
           WHERE ahead <= 7 GROUP BY series) AS f USING (series)
WHERE t.used
ORDER BY t.series
"""


@click.group()
def forecast() -> None:
    """What is expected of the days to come, and how good such forecasts were.

    \b
    observatory forecast list
    """


@forecast.command("list")
@DSN_FILE
@FORM
def forecast_list(dsn_file: Path | None, form: str) -> None:
    """A line a figure. The days themselves stand in `analytics.forecasts` and on the dashboards."""
    with recorded(dsn_file) as connection, connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET timezone = 'UTC'")
        rows: list[Row] = cursor.execute(_FORECASTS).fetchall()
    if form == "json":
        click.echo(json.dumps(rows, indent=2, default=str, ensure_ascii=False))
    else:
        click.echo(told.forecasts(rows))
