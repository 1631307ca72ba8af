"""Runbooks hold what they promise: every section, and queries that work as they stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import promql_parser
import psycopg
import pytest

from alert_rules.catalogue import ALERTS
from alert_rules.model import MetricCheck, TableCheck
from alert_rules.rules import expression
from alert_rules.runbooks import check_query, pages
from contract.relations import APP_SCHEMA, RELATIONS, SQL_TYPES
from contract.settings import Settings
from contract.signals.model import Change

DEFAULTS = Settings()
PAGES = pages(DEFAULTS)
SECTIONS = [
    "What it means",
    "What users notice",
    "Look first",
    "What to do",
    "Silence it while you work on it",
    "When it fires",
]


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return ["\n".join(line.removeprefix(indent) for line in body.splitlines()) for indent, body in found]


def test_every_alert_has_its_page_under_the_name_that_alerts_link_to() -> None:
    assert sorted(PAGES) == sorted(f"{alert.name}.md" for alert in ALERTS)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_page_says_what_someone_needs_at_night(alert: Any) -> None:
    text = PAGES[f"{alert.name}.md"]
    assert re.findall("^## (.*)$", text, re.MULTILINE) == SECTIONS
    for part in (alert.meaning, alert.impact, *alert.next_steps, *(check.question for check in alert.checks)):
        assert part in text
    queries = blocks(text, "promql")
    assert queries[-1] == expression(alert, DEFAULTS)
    assert len(queries) - 1 + len(blocks(text, "sql")) == len(alert.checks)
    for query in queries:
        promql_parser.parse(query)
    (silence,) = blocks(text, "sh")
    assert f'alertname="{alert.name}"' in silence
    for label in alert.by:
        assert f'{label}="' in silence


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alerts_that_a_page_sends_to_exist(alert: Any) -> None:
    said = " ".join((alert.description, alert.meaning, alert.impact, *alert.next_steps))
    assert set(re.findall(r"\b(?:[A-Z][a-z0-9]+){2,}\b", said)) <= {one.name for one in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_what_is_held_against_the_past_is_asked_so(alert: Any) -> None:
    """Who asks for more, or less, than before is answered with a factor, or told to draw it."""
    for check in alert.checks:
        if isinstance(check, MetricCheck) and re.search(r"\b(than|grew|grown|usual)\b", check.question):
            drawn, banded = "Draw" in check.question, isinstance(check.signal, Change)
            assert check.against or drawn or banded, check.question
            assert not check.against or " offset " in check_query(check)


def test_pages_follow_the_settings() -> None:
    thresholds = DEFAULTS.thresholds.model_copy(update={"error_ratio": 0.125, "minimum_queries": 33})
    text = pages(DEFAULTS.model_copy(update={"thresholds": thresholds}))["AgentErrorRatioHigh.md"]
    assert "above 12.5% (`thresholds.error_ratio`) over 5 minutes, for each environment and agent." in text
    assert "Only with at least 33 agent queries in 5 minutes (`thresholds.minimum_queries`)." in text


def test_the_sql_runs_on_what_dashboards_may_read(database: str, install_schema: Callable[[str], None]) -> None:
    questions = {check.sql for alert in ALERTS for check in alert.checks if isinstance(check, TableCheck)}
    assert len(questions) >= 5
    with psycopg.connect(database) as connection:
        connection.execute(f"CREATE SCHEMA {APP_SCHEMA}")
        for relation in RELATIONS.values():
            columns = ", ".join(f'"{column.name}" {SQL_TYPES.get(column.type, column.type)}' for column in relation.columns)
            connection.execute(f"CREATE TABLE {relation.qualified} ({columns})")
    install_schema(database)
    with psycopg.connect(database) as connection:
        connection.execute("SET ROLE observatory_grafana_business")
        for sql in sorted(questions):
            assert ":'since'" in sql and "now()" not in sql
            connection.execute(sql.replace(":'since'", "%s"), [datetime(2026, 11, 20, tzinfo=UTC).isoformat()])
