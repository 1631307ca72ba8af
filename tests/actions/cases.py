"""Every action that a database knows of, as the words of its command."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from exporters.database.roles import Role
from provisioning.actions import options
from provisioning.actions.action import Action, Manner, perform
from provisioning.cli import main
from provisioning.findings import InputError

SLO = ("--sli", "latency", "--agents", "billing", "--target-seconds", "5", "--objective", "95", "--team", "agents")
ALERT = ("--measure", "latency", "--above", "5", "--agents", "billing", "--team", "agents")


@dataclass(frozen=True)
class Case:
    """Words of an action, and the query for what it changes; without one it is in the configuration.

    `left` is what its way back leaves of what was not there before: wishes and judgements are taken back, not forgotten.
    """

    words: tuple[str, ...]
    state: str = ""
    left: Any = None

    def standing(self, dsn: str) -> Any:
        if not self.state:
            return run(self.words[0], "list", "--format", "json").output
        with psycopg.connect(dsn) as connection:
            return connection.execute(self.state.encode()).fetchall()


JUDGED = "SELECT agent, version, metric, state FROM analytics.regressions"
PROFILED = "SELECT scope, state FROM analytics.profiling_sessions ORDER BY id DESC LIMIT 1"
ASKED = "SELECT setting, value FROM analytics.configuration_desired ORDER BY id DESC LIMIT 1"
SCHEDULED = "SELECT scope, state FROM analytics.load_tests ORDER BY id DESC LIMIT 1"
ADVICE = """
INSERT INTO analytics.advice (id, place, kind, agent, environment, subject, what, why, setting, before, after, effect, low,
    high, unit, p_value, not_considered, found_at, made_at)
VALUES ('slow', 1, 'timeout', 'billing', 'production', 'time limit', 'Give up after 12 s', '40 were given up',
        'timeout_seconds', '30', '12', 100, 80, 120, 's', 0.001, 'what waiting might have saved', now(), now()),
       ('look', 2, 'slow', 'billing', 'production', 'retrieval', 'Look at retrieval', 'it waits',
        '', '', '', 10, 5, 15, 's', 0.01, 'what was asked', now(), now())
"""
TARGET = {"environment": "staging", "url": "http://127.0.0.1:1/ask/{agent}"}
CASES = {
    "slo": Case(("slo", "set", "billing-in-time", *SLO, "--description", "Billing answers within five seconds.")),
    "budget": Case(("budget", "set", "production", "--monthly-usd", "3000")),
    "alert": Case(("alert", "create", "BillingSlow", *ALERT, "--reason", "Customers leave when this takes long.")),
    "regression": Case(
        ("regression", "flag", "billing", "1.4.2", "--metric", "errors"), JUDGED, [("billing", "1.4.2", "errors", "dismissed")]
    ),
    "profile": Case(("profile", "start", "billing", "--for", "1h"), PROFILED, [("billing", "cancelled")]),
    "configuration": Case(
        ("configure", "set", "billing", "timeout_seconds", "20"), ASKED, [("timeout_seconds", None)]
    ),
    "cache": Case(("cache", "set", "billing", "--ttl", "1h"), ASKED, [("cache.response", None)]),
    "advice": Case(("advice", "apply", "slow"), ASKED, [("timeout_seconds", None)]),
    "load test": Case(
        ("loadtest", "schedule", "billing", "--environment", "staging", "--per-second", "5", "--for", "1m"),
        SCHEDULED,
        [("billing", "cancelled")],
    ),
}  # fmt: skip


def as_role(dsn: str, role: Role) -> str:
    return psycopg.conninfo.make_conninfo(dsn, options=f"-c role={role}")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def log(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT actor, action, target, before, after FROM analytics.audit_log ORDER BY id").fetchall()


def at_once(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], people: int) -> list[str]:
    """Why it was refused to people who all saw the same, and then all said yes."""
    caught: list[tuple[Action, Manner]] = []
    with monkeypatch.context() as patch:
        patch.setattr(options, "perform", lambda action, manner: caught.append((action, manner)))
        run(*words)
    [(action, manner)] = caught
    together, refused = threading.Barrier(people), list[str]()

    def agreed(_: str) -> bool:
        together.wait(30)
        return True

    def person() -> None:
        try:
            perform(action, replace(manner, ask=agreed, say=lambda _: None))
        except InputError as problem:
            refused.append(str(problem))

    threads = [threading.Thread(target=person) for _ in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return refused
