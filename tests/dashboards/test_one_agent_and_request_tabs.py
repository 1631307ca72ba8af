"""The tabs on one agent and one request: what they hold, where they lead, and what they make of traces that are odd."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from alert_rules.catalogue import ALERTS
from contract.keys import panel_id
from contract.relations import RELATIONS, SQL_TYPES
from contract.settings import Settings
from dashboards import one_agent, one_request
from dashboards.lib.requests import CAUSES, FILTERS, PHASES
from dashboards.lib.tab import Tab
from provisioning.choices import Choice, written
from provisioning.interpolation import Span, sql_macros, substitute

Json = dict[str, Any]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AGENT, REQUEST = one_agent.TAB, one_request.TAB

ONE_AGENT = {
    "": ["legend", "ages"],
    "Does it do well?": [
        "state", "response_now", "errors_now", "queries_now", "capacity_now", "budget_left", "version_now",
    ],
    "Traffic and errors": ["queries", "error_share", "errors_by_type"],
    "How long do answers take?": ["latency", "percentiles"],
    "Where does the time go?": ["phase_shares", "phases", "waterfall", "dependencies"],
    "What changed, and did it become worse?": ["regressions_timeline", "in_service"],
    "Slow requests": ["slow_requests", "advice"],
    "Slowest calls, failed requests": ["slowest_calls", "failed_requests"],
    "How full is it?": ["fullness", "in_progress", "retries"],
    "Versions in detail": ["deployments", "versions", "regressions"],
    "Profiles": ["profiling"],
    "Now against before": ["changes_before", "queries_before", "latency_before", "errors_before"],
    "Service levels": ["service_levels"],
}  # fmt: skip
ONE_REQUEST = {
    "": ["legend", "ages"],
    "What happened?": ["request", "figures", "verdict"],
    "Where did the time go?": ["trace", "waterfall", "beside_the_usual", "flames"],
    "Which models were called?": ["model_calls"],
    "Which other requests were slow or failed?": ["others"],
    "All steps": ["steps"],
}


def contents(tab: Tab, settings: Settings | None = None) -> dict[str, list[str]]:
    return {row.title: [panel.name for panel in row.panels] for row in tab.all_rows(settings or Settings())}


def panels(tab: Tab) -> Iterator[Json]:
    for top in tab.dashboard(Settings())["panels"]:
        yield from top["panels"] if top["type"] == "row" and top["panels"] else [top]


def panel(tab: Tab, name: str) -> Json:
    return next(found for found in panels(tab) if found["id"] == panel_id(f"{tab.key}/{name}"))


def test_the_tables_of_contents() -> None:
    assert contents(AGENT) == ONE_AGENT
    assert contents(REQUEST) == ONE_REQUEST


def test_a_site_without_service_levels_has_no_panels_on_them() -> None:
    without = contents(AGENT, Settings(slo=()))
    assert "Service levels" not in without and "budget_left" not in without["Does it do well?"]


def test_exactly_one_agent_is_chosen() -> None:
    variables = {variable["name"]: variable for variable in AGENT.dashboard(Settings())["templating"]["list"]}
    agent = variables["agent"]
    assert (agent["multi"], agent["includeAll"], agent["current"]) == (False, False, {}) and "allValue" not in agent
    assert variables["environment"]["multi"] and variables["environment"]["current"]["value"] == ["production"]
    asked = [target["expr"] for found in panels(AGENT) for target in found.get("targets", []) if "expr" in target]
    assert not any('agent=~"$agent"' in expression for expression in asked)
    assert sum('="$agent"' in expression for expression in asked) >= len(asked) - 1  # the age of the figures is of no agent


def test_versions_are_marked_from_the_start() -> None:
    marks = {mark["name"]: mark["enable"] for mark in AGENT.dashboard(Settings())["annotations"]["list"]}
    assert marks == dict.fromkeys(("Critical alerts", "Deployments", "Regressions", "Incidents"), True)
    assert {mark["name"] for mark in REQUEST.dashboard(Settings())["annotations"]["list"]} == {"Critical alerts", "Deployments"}


def test_the_name_of_the_one_agent_is_never_read_as_a_pattern() -> None:
    board = AGENT.dashboard(Settings())
    asked = [target["expr"] for found in panels(AGENT) for target in found.get("targets", []) if "expr" in target]
    asked += [mark["expr"] for mark in board["annotations"]["list"] if "expr" in mark]
    assert not [expression for expression in asked if re.search(r'agent=~"[^"]*\$', expression)]
    (critical,) = (mark["expr"] for mark in board["annotations"]["list"] if mark["name"] == "Critical alerts")
    assert 'agent="$agent"' in critical and 'agent=""' in critical  # its own, and those of no agent


@pytest.mark.parametrize(("tab", "name"), [(AGENT, "slow_requests"), (AGENT, "failed_requests"), (REQUEST, "others")])
def test_a_request_is_one_click_away_with_all_filters(tab: Tab, name: str) -> None:
    links = re.findall(r"'url': '(/d/observatory-one-request[^']*)'", str(panel(tab, name)["fieldConfig"]))
    assert links and all("var-trace=${__value.raw}" in link for link in links)
    assert all(f"${{{filter_}:queryparam}}" in link for link in links for filter_ in FILTERS)


def test_every_cause_leads_to_a_runbook_that_is_built() -> None:
    assert {cause.runbook for cause in CAUSES.values()} <= {alert.name for alert in ALERTS}
    assert set(PHASES) | {"timeout", "steps"} == CAUSES.keys()


@pytest.fixture
def platform(database: str, install_schema: Callable[[str], None]) -> str:
    """One agent with requests of every kind; times of steps are milliseconds."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA app")
        for relation in RELATIONS.values():
            columns = ", ".join(f"{column.name} {SQL_TYPES.get(column.type, column.type)}" for column in relation.columns)
            connection.execute(f"CREATE TABLE {relation.qualified} ({columns})")
        connection.execute("INSERT INTO app.agents (id, name, is_active) VALUES (1, 'billing', true)")
        for trace, took, status, steps in TRACES:
            connection.execute(
                "INSERT INTO app.traces (trace_id, agent_id, environment, version, started_at, latency_ms, status) "
                "VALUES (%s, 1, 'production', '1.0', %s, %s, %s)",
                (trace, NOW - timedelta(hours=1), took, status),
            )
            for span, above, name, kind, phase, begins, lasts in steps:
                connection.execute(
                    "INSERT INTO app.trace_spans VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'success')",
                    (trace, span, above, name, kind, phase, name if kind == "dependency" else None,
                     NOW - timedelta(hours=1) + timedelta(milliseconds=begins), lasts),
                )  # fmt: skip
    install_schema(database)
    return database


Steps = list[tuple[str, str | None, str, str, str | None, float, float]]
_ONE_CALL: Steps = [
    ("0", None, "billing", "phase", None, 0, 4000),
    ("1", "0", "auth", "phase", "auth", 0, 100),
    ("2", "0", "llm", "phase", "llm", 100, 3800),
    ("3", "2", "openai", "dependency", "llm", 100, 3000),
]
_SIDE_BY_SIDE: Steps = [
    ("0", None, "billing", "phase", None, 0, 3000),
    ("1", "0", "tool", "phase", "tool", 0, 2000),
    ("2", "1", "search", "tool", "tool", 0, 2000),
    ("3", "1", "orders-api", "dependency", "tool", 500, 1000),  # within the time of search
    ("4", "1", "refund", "tool", "tool", 1500, 1900),  # overlaps it, and what both take is more than there is
    ("5", "lost", "stray", "tool", "tool", 2000, 500),  # started by a step that was not kept
]
_IN_CIRCLES: Steps = [
    ("0", None, "billing", "phase", None, 0, 1000),
    ("1", "2", "a", "tool", "tool", 0, 400),
    ("2", "1", "b", "tool", "tool", 0, 300),
]
_TWICE: Steps = [
    ("0", None, "billing", "phase", None, 0, 5000),
    ("1", "0", "llm", "phase", "llm", 0, 2000),
    ("2", "0", "llm", "phase", "llm", 2000, 2500),
]
TRACES: tuple[tuple[str, float, str, Steps], ...] = (
    ("late", 9000, "timed_out", _ONE_CALL),
    ("twice", 5000, "ok", _TWICE),
    ("one-call", 4000, "ok", _ONE_CALL),
    ("side-by-side", 3000, "failure", _SIDE_BY_SIDE),
    ("in circles", 1000, "ok", _IN_CIRCLES),
    ("O'Brien; $$ --", 90, "ok", []),
)  # fmt: skip


def rows(dsn: str, tab: Tab, name: str, **choices: str) -> list[Json]:
    """What a panel gives for the last day, as Grafana would send it; without a choice everything is chosen."""
    values: Mapping[str, Choice] = {
        **{filter_: Choice(("x",), True, ".*") for filter_ in FILTERS},
        **{text: Choice(("",)) for text in ("trace", "dependency")},
        **{variable: Choice((value,), variable in FILTERS) for variable, value in choices.items()},
    }
    (target,) = panel(tab, name)["targets"]
    sql = substitute(target["rawSql"], lambda name, form: written(values[name], form, "sql") if name in values else None)
    span = Span((NOW - timedelta(days=1)).timestamp(), NOW.timestamp(), 60)
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return connection.execute(sql_macros(sql, span).encode()).fetchall()


def test_slow_requests_have_their_cause(platform: str) -> None:
    found = {row["trace"]: (row["status"], row["cause"]) for row in rows(platform, AGENT, "slow_requests")}
    assert found == {
        "late": ("timeout", "Time limit"), "twice": ("success", "Model, several calls"), "one-call": ("success", "Model"),
        "side-by-side": ("error", "Tools"), "in circles": ("success", None), "O'Brien; $$ --": ("success", None),
    }  # fmt: skip
    only = rows(platform, AGENT, "slow_requests", tier="critical", status="error")
    assert [row["trace"] for row in only] == ["side-by-side"]
    assert [row["trace"] for row in rows(platform, AGENT, "slow_requests", tier="fast")] == ["O'Brien; $$ --"]


def test_only_plain_ids_get_a_command(platform: str) -> None:
    commands = {row["trace"]: row["command"] for row in rows(platform, AGENT, "advice")}
    assert commands["late"].endswith("traceId=late'") and "in circles" not in commands


def test_without_a_name_the_slowest_request_is_shown(platform: str) -> None:
    assert [row["trace"] for row in rows(platform, REQUEST, "request")] == ["late"]
    assert [row["trace"] for row in rows(platform, REQUEST, "request", status="error")] == ["side-by-side"]
    for name in ("one-call", "O'Brien; $$ --"):
        assert [row["trace"] for row in rows(platform, REQUEST, "request", trace=name, status="error")] == [name]
    assert rows(platform, REQUEST, "request", trace="nobody' OR true --") == []


def areas(found: list[Json]) -> list[tuple[int, str, float, float]]:
    return [(row["level"], row["label"], round(row["value"]), round(row["self"])) for row in found]


def test_areas_fit_into_each_other(platform: str) -> None:
    assert areas(rows(platform, REQUEST, "flames", trace="one-call")) == [
        (0, "billing", 4000, 100), (1, "auth", 100, 100), (1, "llm", 3800, 800), (2, "openai", 3000, 3000),
    ]  # fmt: skip
    found = areas(rows(platform, REQUEST, "flames", trace="side-by-side"))
    assert found == [
        (0, "billing", 3000, 500),
        (1, "tool", 2000, 0), (2, "search", 1026, 513), (3, "orders-api", 513, 513), (2, "refund", 974, 974),
        (1, "stray", 500, 500),
    ]  # fmt: skip
    assert [level for level, *_ in found].count(0) == 1 and all(after[0] <= before[0] + 1 for before, after in pairwise(found))


def test_steps_that_started_each_other_end_no_query_in_circles(platform: str) -> None:
    assert areas(rows(platform, REQUEST, "flames", trace="in circles")) == [(0, "billing", 1000, 1000)]


def test_bars_of_the_waterfall_follow_each_other(platform: str) -> None:
    found = rows(platform, AGENT, "waterfall")
    assert [row["what"] for row in found] == ["openai", "orders-api", "own work"]
    openai, orders, own = found
    assert (openai["before"], openai["Model"]) == (0, pytest.approx(2 * 3.0 / 6))
    assert (orders["before"], orders["Tools"]) == (pytest.approx(1.0), pytest.approx(1.0 / 6))
    mean = (9000 + 5000 + 4000 + 3000 + 1000 + 90) / 6 / 1000
    assert own["before"] + own["Other"] == pytest.approx(mean)
    assert rows(platform, AGENT, "waterfall", environment="staging") == []
