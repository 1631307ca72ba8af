"""Every action as the words of its command, and what it changes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psycopg
import requests
import yaml
from click.testing import CliRunner, Result

from exporters.database.roles import Role
from provisioning.actions import options
from provisioning.cli import main

SLO = ("--sli", "latency", "--agents", "billing", "--target-seconds", "5", "--objective", "95", "--team", "agents")
ALERT = ("--measure", "latency", "--above", "5", "--agents", "billing", "--team", "agents")
LOAD = ("--environment", "staging", "--per-second", "5", "--for", "1m")


@dataclass(frozen=True)
class Case:
    """Words of an action and of another wish for the same, the command that takes it back, and how to see what it changes.

    `left` is what its way back leaves of what was not there before: wishes and judgements are taken back, not forgotten.
    """

    words: tuple[str, ...]
    rival: tuple[str, ...]
    back: str
    standing: Callable[[str], Any]
    left: Any = None

    @property
    def covered(self) -> bool:
        """Whether a transaction covers what it changes."""
        return isinstance(self.standing, Rows)


@dataclass(frozen=True)
class Rows:
    """What a query finds."""

    query: str

    def __call__(self, dsn: str) -> Any:
        with psycopg.connect(dsn) as connection:
            return connection.execute(self.query.encode()).fetchall()


def listed(group: str) -> Callable[[str], Any]:
    """What is configured."""
    return lambda _: run(group, "list", "--format", "json").output


def muted(_: str) -> Any:
    """The silences of the configured Alertmanager: alert, reason."""
    url = yaml.safe_load(Path("observatory.yaml").read_text())["sources"]["alertmanager"]["url"]
    return [({m["name"]: m["value"] for m in one["matchers"]}, one["comment"]) for one in silences(url)]


def silences(url: str) -> list[dict[str, Any]]:
    """Those that are in force in an Alertmanager."""
    found = requests.get(f"{url}/api/v2/silences", timeout=10).json()
    return [silence for silence in found if silence["status"]["state"] == "active"]


def _other(words: tuple[str, ...], value: str, instead: str) -> tuple[str, ...]:
    assert value in words
    return tuple(instead if word == value else word for word in words)


def _case(
    words: tuple[str, ...], value: str, instead: str, back: str, standing: Callable[[str], Any], left: Any = None
) -> Case:
    """One whose other wish has another value."""
    return Case(words, _other(words, value, instead), back, standing, left)


JUDGED = Rows("SELECT agent, version, metric, state FROM analytics.regressions")
PROFILED = Rows("SELECT scope, state FROM analytics.profiling_sessions ORDER BY id DESC LIMIT 1")
ASKED = Rows("SELECT setting, value FROM analytics.configuration_desired ORDER BY id DESC LIMIT 1")
SCHEDULED = Rows("SELECT scope, state FROM analytics.load_tests ORDER BY id DESC LIMIT 1")
ADVICE = """
INSERT INTO analytics.advice (id, place, kind, agent, environment, subject, what, why, setting, before, after, effect, low,
    high, unit, p_value, not_considered, found_at, made_at)
VALUES ('slow', 1, 'timeout', 'billing', 'production', 'time limit', 'Give up after 12 s', '40 were given up',
        'timeout_seconds', '30', '12', 100, 80, 120, 's', 0.001, 'what waiting might have saved', now(), now()),
       ('look', 2, 'slow', 'billing', 'production', 'retrieval', 'Look at retrieval', 'it waits',
        '', '', '', 10, 5, 15, 's', 0.01, 'what was asked', now(), now())
"""
TARGET = {"environment": "staging", "url": "http://127.0.0.1:1/ask/{agent}"}
_LEVEL = ("slo", "set", "latency", *SLO, "--description", "Billing answers within five seconds.")
_TIME = (
    "budget", "performance", "quick", "--p95-seconds", "2", "--agents", "billing", "--team", "agents",
    "--reason", "People wait here.",
)  # fmt: skip
_ALERT = ("alert", "create", "BillingSlow", *ALERT, "--reason", "Customers leave when this takes long.")
_MUTE = ("alert", "mute", "AgentErrorRatioCritical", "--where", "agent=billing", "--for", "2h", "--reason", "known")
_WORSE = ("regression", "flag", "billing", "1.4.2", "--metric", "errors", "--reason", "since the new prompt")
_LIMIT = ("configure", "set", "billing", "timeout_seconds", "20")
_CACHE, _NO_CACHE = ("cache", "set", "billing", "--ttl", "1h"), ("cache", "off", "billing")
CASES = {
    "slo": _case(_LEVEL, "95", "90", "slo remove", listed("slo")),
    "budget": _case(
        ("budget", "set", "production", "--monthly-usd", "3000"), "3000", "2000", "budget remove", listed("budget")
    ),
    "budget of time": _case(_TIME, "2", "5", "slo remove", listed("slo")),
    "alert": _case(_ALERT, "agents", "support", "alert remove", listed("alert")),
    "mute": _case(_MUTE, "2h", "3h", "alert unmute", muted),
    "regression": _case(
        _WORSE, "since the new prompt", "slow", "regression dismiss", JUDGED, [("billing", "1.4.2", "errors", "dismissed")]
    ),
    "profile": _case(
        ("profile", "start", "billing", "--for", "1h"), "1h", "2h", "profile stop", PROFILED, [("billing", "cancelled")]
    ),
    "configuration": _case(_LIMIT, "20", "-1", "configure unset", ASKED, [("timeout_seconds", None)]),
    "cache": Case(_CACHE, _NO_CACHE, "cache reset", ASKED, [("cache.response", None)]),
    "no cache": Case(_NO_CACHE, _CACHE, "cache reset", ASKED, [("cache.response", None)]),
    "advice": Case(("advice", "apply", "slow"), _LIMIT, "configure unset", ASKED, [("timeout_seconds", None)]),
    "load test": _case(
        ("loadtest", "schedule", "billing", *LOAD), "5", "7", "loadtest cancel", SCHEDULED, [("billing", "cancelled")]
    ),
}


def as_role(dsn: str, role: Role) -> str:
    return psycopg.conninfo.make_conninfo(dsn, options=f"-c role={role}")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def action_of(words: tuple[str, ...]) -> str:
    """The name of a command's action in the log."""
    name = " ".join(words[:2])
    return "slo set" if name == "budget performance" else name


def log(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT actor, action, target, before, after FROM analytics.audit_log ORDER BY id").fetchall()


@dataclass(frozen=True)
class Told:
    """How a command ended, and what it said."""

    exit_code: int
    output: str


def at_once(*people: tuple[str, ...]) -> list[Told]:
    """What commands of people come to that all saw the same, and then all said yes: each is a process of its own."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(len(people), context, _meet, (context.Barrier(len(people)),)) as pool:
        return list(pool.map(_told, people))


def _meet(everybody: Barrier) -> None:
    """In the process of one of them: who is asked answers when all are."""
    setattr(options, "_asked", lambda _: everybody.wait(30) >= 0)  # noqa: B010


def _told(words: tuple[str, ...]) -> Told:
    done = run(*words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Told(done.exit_code, done.output)
