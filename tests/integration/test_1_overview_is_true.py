"""The Overview on a living stack: every panel has data, and what comes from PostgreSQL or Langfuse is true.

The platform is held still (SIGSTOP) while figures are compared, so that both sides speak of the same moment. The expectations
are written from the definitions' words as plain SQL on `app` and as sums over the stand-in's rows; they import nothing of the
rooms that they check, but the names of panels.
"""

from __future__ import annotations

import calendar
import json
import math
import os
import signal
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from contract.keys import panel_id
from provisioning.interpolation import Span, sql_macros, substitute
from tests.integration.conftest import LivingStack, eventually

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("stack")]
CHOICES = {"environment": "production", "agent": ".*", "__range": "6h", "__rate_interval": "1m", "__interval": "15s"}
BUDGET = 4000.0


class Moment:
    """A still moment: what Prometheus says of it, and the rows that it is about."""

    def __init__(self, stack: LivingStack) -> None:
        self.stack = stack
        self.at = time.time()
        self.postgres = self._data_time("postgres")
        self.langfuse = self._data_time("langfuse")
        built = stack.var / "build" / "grafana" / "dashboards" / "Business" / "observatory-overview.json"
        self._panels = {panel["id"]: panel for panel in _flat(json.loads(built.read_text())["panels"])}
        self._observations: dict[tuple[datetime, datetime], list[dict[str, Any]]] = {}

    def _data_time(self, source: str) -> datetime:
        found = self.stack.value(f'max(exporter_source_data_timestamp_seconds{{source="{source}"}})', self.at)
        return datetime.fromtimestamp(found, UTC)

    def panel(self, name: str, query: int = 0) -> dict[str, float]:
        """What a query of an Overview panel shows at the moment, by its legend or only label."""
        target = self._panels[panel_id(f"overview/{name}")]["targets"][query]
        expression = substitute(target["expr"], lambda variable, _form: CHOICES.get(variable))
        shown = {}
        for labels, value in self.stack.query(expression, self.at):
            legend = substitute(target.get("legendFormat", ""), lambda *_: None)
            for label, text in labels.items():
                legend = legend.replace("{{" + label + "}}", text)
            shown[legend] = value
        return shown

    def panel_sql(self, name: str) -> list[tuple[Any, ...]]:
        """The rows of a panel that asks PostgreSQL itself, over the 24 hours before the moment."""
        text = self._panels[panel_id(f"overview/{name}")]["targets"][0]["rawSql"]
        filled = substitute(text, lambda variable, _form: CHOICES.get(variable))
        with self.stack.database as database:
            return database.execute(sql_macros(filled, Span(self.at - 86400, self.at, 60)).encode()).fetchall()

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        """Rows of plain SQL; `:now` is the time that the exporter's figures stand for."""
        with self.stack.database as database:
            return database.execute(text.replace(":now", "%(now)s").encode(), {"now": self.postgres}).fetchall()

    def number(self, text: str) -> float:
        [(value,)] = self.sql(text)
        return float(value)

    def calls(self, since: datetime) -> list[dict[str, Any]]:
        """Every model call that Langfuse's row interface gives from `since` to the moment, page by page."""
        until = self.langfuse
        if (since, until) not in self._observations:
            keys = [(self.stack.var / "secrets" / f"langfuse_{kind}_key").read_text() for kind in ("public", "secret")]
            found: list[dict[str, Any]] = []
            cursor: str | None = ""
            while cursor is not None:
                asked = {
                    "fromStartTime": _text(since), "toStartTime": _text(until), "limit": 1000,
                    "fields": "core,basic,model,usage", **({"cursor": cursor} if cursor else {}),
                }  # fmt: skip
                url = f"{self.stack.url('langfuse')}/api/public/v2/observations"
                page = requests.get(url, params=asked, auth=(keys[0], keys[1]), timeout=30).json()
                found += [row for row in page["data"] if row["type"] in ("GENERATION", "EMBEDDING")]
                cursor = page["meta"].get("cursor")
            self._observations[since, until] = found
        return self._observations[since, until]

    @property
    def last_day(self) -> list[dict[str, Any]]:
        return self.calls(self.langfuse - timedelta(hours=24))

    @property
    def month(self) -> list[dict[str, Any]]:
        return self.calls(self.langfuse.replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _flat(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _flat(panel.get("panels", []))


def _cost(rows: list[dict[str, Any]]) -> float:
    return math.fsum(float((row.get("costDetails") or {}).get("total") or 0.0) for row in rows)


def _model(row: dict[str, Any]) -> str:
    return str(row.get("providedModelName") or row.get("model"))


@pytest.fixture(scope="module")
def moment(stack: LivingStack) -> Iterator[Moment]:
    platform = stack.parts["platform"]["identity"][0]
    os.kill(platform, signal.SIGSTOP)
    try:
        held, ages = time.time(), dict[str, float]()

        def sources() -> bool:
            for labels, value in stack.query("max by (source) (exporter_source_data_timestamp_seconds)"):
                ages[labels["source"]] = value - held
            return all(ages.get(source, 0) > 3 for source in ("postgres", "langfuse"))

        eventually(sources, 90, f"figures of the still platform; seconds after it was held: {ages}")
        yield Moment(stack)
    finally:
        os.kill(platform, signal.SIGCONT)


def test_every_part_is_healthy(stack: LivingStack) -> None:
    def well() -> bool:
        return stack.observatory("demo", "status", "--var", str(stack.var)).returncode == 0

    eventually(well, 60, "all parts are healthy, the preview too")
    for part in ("PostgreSQL", "Inbox", "Langfuse", "platform", "Exporter", "Alertmanager", "Prometheus"):
        assert part in stack.table, stack.table


def test_every_target_is_scraped(stack: LivingStack) -> None:
    expected = {"platform": 3.0, "exporter": 1.0, "prometheus": 1.0, "alertmanager": 1.0}

    def scraped() -> bool:
        return {labels["job"]: count for labels, count in stack.query("count by (job) (up == 1)")} == expected

    eventually(scraped, 40, f"the targets {expected} are up")


def test_doctor_finds_data_for_every_panel_within_90_seconds(stack: LivingStack) -> None:
    begun = time.monotonic()

    def well() -> Any:
        done = stack.observatory("doctor", "--config", str(stack.config), "--format", "json")
        report = json.loads(done.stdout)
        return report if done.returncode == 0 else None

    report = eventually(well, 90, "doctor")
    assert time.monotonic() - begun < 90
    panels = [item for item in report["items"] if item["kind"] == "panel"]
    assert len(panels) >= 20
    assert {item["key"] for item in panels if item["state"] != "data"} <= {"overview/firing_alerts", "overview/latest_failures"}


def test_users(moment: Moment) -> None:
    total = moment.number("SELECT count(*) FROM app.users WHERE created_at <= :now")
    new = moment.number("SELECT count(*) FROM app.users WHERE created_at <= :now AND created_at > :now - interval '30 days'")
    assert moment.panel("users") == {"total": total}
    assert moment.panel("users", 1) == {"growth in 30 days": pytest.approx(new / (total - new), rel=1e-12)}


def _active(moment: Moment, days: int, before: int = 0) -> float:
    return moment.number(
        "SELECT count(DISTINCT user_id) FROM app.messages WHERE role = 'user' "
        f"AND created_at > :now - interval '{days + before} days' AND created_at <= :now - interval '{before} days'"
    )


def test_active_users_and_their_change(moment: Moment) -> None:
    week, month = _active(moment, 7), _active(moment, 30)
    assert moment.panel("active_users") == {"7 d": week, "30 d": month}
    changes = {"7 d change": week / _active(moment, 7, 7) - 1, "30 d change": month / _active(moment, 30, 30) - 1}
    assert moment.panel("active_users", 1) == pytest.approx(changes, rel=1e-9)


def test_conversations(moment: Moment) -> None:
    [(shown)] = moment.panel("conversations").values()
    assert shown == moment.number(
        "SELECT count(*) FROM app.conversations WHERE environment = 'production' AND created_at <= :now"
    )


def test_tickets_by_status(moment: Moment) -> None:
    found = dict(moment.sql("SELECT replace(status, '_', ' '), count(*)::float8 FROM app.tickets GROUP BY 1"))
    shown = moment.panel("tickets")
    assert {status: count for status, count in shown.items() if count} == found
    assert set(shown) == {"open", "in progress", "waiting", "resolved", "closed"}


def test_documents_by_status(moment: Moment) -> None:
    found = dict(moment.sql("SELECT status, count(*)::float8 FROM app.documents GROUP BY 1"))
    assert moment.panel("documents") == {"total": sum(found.values()), "done": 0, "processing": 0, "failed": 0, **found}


def test_conversation_counters_behind_the_success_rate(moment: Moment) -> None:
    expected = {
        (agent, environment, goal): float(count)
        for agent, environment, goal, count in moment.sql(
            "SELECT a.name, c.environment, CASE WHEN c.goal_achieved THEN 'achieved' WHEN NOT c.goal_achieved THEN 'missed' "
            "ELSE 'unknown' END, count(*) FROM app.conversations c JOIN app.agents a ON a.id = c.agent_id "
            "WHERE c.ended_at <= :now GROUP BY 1, 2, 3"
        )
    }
    counted = {
        (labels["agent"], labels["environment"], labels["goal"]): value
        for labels, value in moment.stack.query("platform_conversations_ended_total", moment.at)
        if value
    }
    assert counted == expected


def test_success_rate_of_the_last_hour(moment: Moment) -> None:
    """The panel's hour ends at the last scrape and SQL's at the exporter's question: they may differ by what ended between."""
    where = "FROM app.conversations WHERE environment = 'production' AND goal_achieved IS NOT NULL"
    hour = "ended_at <= :now AND ended_at > :now - interval '1 hour'"
    known = moment.number(f"SELECT count(*) {where} AND {hour}")
    achieved = moment.number(f"SELECT count(*) {where} AND {hour} AND goal_achieved")
    near_the_edge = moment.number(
        f"SELECT count(*) {where} AND ended_at > :now - interval '66 minutes' AND ended_at <= :now - interval '54 minutes'"
    )
    [shown] = moment.panel("success_now").values()
    assert known > 0
    assert shown == pytest.approx(achieved / known, abs=(near_the_edge + 1) / known)


def test_outcomes_per_hour(moment: Moment) -> None:
    counted: Counter[tuple[datetime, str]] = Counter()
    with moment.stack.database as database:
        rows = database.execute(
            "SELECT created_at, outcome FROM app.conversations "
            "WHERE environment = 'production' AND created_at BETWEEN %s AND %s",
            (datetime.fromtimestamp(moment.at - 86400, UTC), datetime.fromtimestamp(moment.at, UTC)),
        ).fetchall()
    for created, outcome in rows:
        counted[created.astimezone(UTC).replace(minute=0, second=0, microsecond=0), outcome or "open"] += 1
    shown = {(hour.astimezone(UTC), outcome): count for hour, outcome, count in moment.panel_sql("conversation_outcomes")}
    assert shown == counted and sum(counted.values()) > 20


def test_latest_failures(moment: Moment) -> None:
    rows = moment.panel_sql("latest_failures")
    with moment.stack.database as database:
        expected = database.execute(
            "SELECT trace_id FROM app.agent_executions WHERE environment = 'production' AND status IN ('failure', 'timeout') "
            "AND start_time BETWEEN %s AND %s ORDER BY start_time DESC LIMIT %s",
            (datetime.fromtimestamp(moment.at - 86400, UTC), datetime.fromtimestamp(moment.at, UTC), len(rows)),
        ).fetchall()
    assert rows and [row[-1] for row in rows] == [trace for (trace,) in expected]


def test_model_calls_of_the_last_day(moment: Moment) -> None:
    calls = [row for row in moment.last_day if row["environment"] == "production"]
    [shown] = moment.panel("model_calls").values()
    assert shown == len(calls) > 100


def test_tokens_per_call(moment: Moment) -> None:
    calls = [row for row in moment.last_day if row["environment"] == "production"]
    tokens = sum(
        count for row in calls for kind, count in (row.get("usageDetails") or {}).items() if "input" in kind or "output" in kind
    )
    [shown] = moment.panel("tokens_per_call").values()
    assert shown == pytest.approx(tokens / len(calls), rel=1e-9)


def test_calls_by_model(moment: Moment) -> None:
    calls = Counter(_model(row) for row in moment.last_day if row["environment"] == "production")
    best = dict(calls.most_common(6))
    expected = {**best, **({"other": calls.total() - sum(best.values())} if len(calls) > 6 else {})}
    shown = {model: count for model, count in moment.panel("model_distribution").items() if count}
    assert shown == expected


def test_cost_of_the_month_and_budget(moment: Moment) -> None:
    spent = _cost(moment.month)
    assert moment.panel("cost_month") == {"all": pytest.approx(spent, rel=1e-9)} and spent > 1
    assert moment.panel("budget") == {"all": pytest.approx(spent / BUDGET, rel=1e-9)}


def test_forecast_of_the_month(moment: Moment) -> None:
    """Spent, plus for each remaining day (and the rest of today) the median of that weekday in the last four weeks."""
    now = moment.langfuse
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    by_day: defaultdict[datetime, float] = defaultdict(float)
    for row in moment.calls(midnight - timedelta(days=28)):
        began = datetime.fromisoformat(row["startTime"].replace("Z", "+00:00"))
        by_day[began.replace(hour=0, minute=0, second=0, microsecond=0)] += _cost([row])

    def usual(day: datetime) -> float:
        weeks = [midnight - timedelta(days=n) for n in range(1, 29)]
        return statistics.median(by_day[past] for past in weeks if past.weekday() == day.weekday())

    last = calendar.monthrange(now.year, now.month)[1]
    to_come = sum(usual(midnight + timedelta(days=n)) for n in range(1, last - now.day + 1))
    today = usual(midnight) * (1 - (now - midnight) / timedelta(days=1))
    expected = _cost(moment.month) + today + to_come
    shown = moment.panel("budget_forecast")
    assert shown == {"all, budget": BUDGET, "all, expected": pytest.approx(expected, rel=1e-6)}


def test_age_of_the_figures(moment: Moment) -> None:
    shown = moment.panel("data_age")
    assert shown["data of postgres"] == pytest.approx(moment.at - moment.postgres.timestamp(), abs=0.01)
    assert shown["data of langfuse"] == pytest.approx(moment.at - moment.langfuse.timestamp(), abs=0.01)
