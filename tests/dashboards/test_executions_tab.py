"""Executions, tools, workflows: what failed in an execution, whatever words a platform has for the end of a call."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from psycopg.rows import dict_row

from contract.settings import Settings
from contract.status import RUNNING, WORDS
from dashboards.executions import TAB
from dashboards.lib.queries import SqlQuery
from provisioning.interpolation import Span, sql_macros, substitute

NOW = datetime(2026, 11, 18, 15, tzinfo=UTC)


def test_only_tools_that_failed_are_told(database: str) -> None:
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("CREATE SCHEMA analytics")
        connection.execute(
            "CREATE TABLE analytics.agent_executions AS SELECT 1 AS execution_id, 'billing' AS agent_name, '1' AS version,"
            " 'production' AS environment, 'refund' AS intent, 'failed' AS status, 'tool' AS error_type, 't' AS trace_id,"
            " %s::timestamptz AS start_time, 900.0::float8 AS duration_ms",
            (NOW,),
        )
        connection.execute(
            "CREATE TABLE analytics.tool_usage_metrics (execution_id int, tool_name text, status text, start_time timestamptz)"
        )
        for word in (*WORDS, *RUNNING):
            for spelled in (word, word.upper()):
                connection.execute(
                    "INSERT INTO analytics.tool_usage_metrics VALUES (1, %s, %s, %s)", (WORDS.get(word, "runs"), spelled, NOW)
                )
        [query] = next(panel for panel in TAB.panels(Settings()) if panel.name == "errors").targets
        assert isinstance(query, SqlQuery)
        text = substitute(query.sql, lambda variable, _form: None if variable.startswith("__") else ".*")
        end = NOW.timestamp()
        rows = connection.execute(sql_macros(text, Span(end - 86400, end, 60)).encode()).fetchall()
    assert {row["tool"] for row in rows} == {"error", "timeout"}


@pytest.mark.parametrize("limit", [0.1, 0.3])
def test_an_interface_is_red_where_its_alert_begins(limit: float) -> None:
    settings = Settings.model_validate({"thresholds": {"tool_error_ratio": limit}})
    panel = next(panel for panel in TAB.panels(settings) if panel.name == "interfaces")
    [answered] = (override for override in panel.overrides if override.options == "Answered")
    steps = dict(answered.properties)["thresholds"]["steps"]
    assert [step["value"] for step in steps] == [None, pytest.approx(1 - limit)]
