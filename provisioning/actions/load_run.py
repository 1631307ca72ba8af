"""Load tests whose time has come are run, one after the other, and what came of them is kept, recorded and judged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any

from psycopg.types.json import Jsonb

from contract.load_tests import FORGOTTEN, UNTIL_LOST
from contract.settings import Settings
from contract.slo import Slo
from provisioning.actions import audit, incidents, webhook
from provisioning.actions.audit import Connection
from provisioning.actions.authorization import authorization
from provisioning.actions.load import Load, Outcome, put
from provisioning.actions.load_tests import address, refuse_beyond, target_of
from provisioning.findings import InputError

_KIND = "load test"
LOOK_SECONDS = 1.0
"""How often a running test looks whether it was cancelled."""

_LOST = f"""
UPDATE analytics.load_tests SET state = 'failed', ended_at = now(), result = '{{"problem": "its runner was ended before it"}}'
WHERE state = 'running' AND started_at < now() - ((params->>'seconds')::double precision + {UNTIL_LOST}) * interval '1 second'
"""  # noqa: S608 - a constant of ours
_TAKE = f"""
UPDATE analytics.load_tests SET state = 'running', started_at = now()
WHERE id = (SELECT id FROM analytics.load_tests
            WHERE state = 'scheduled' AND scheduled_at <= now() AND scheduled_at > now() - interval '{FORGOTTEN}'
            ORDER BY scheduled_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, scope, params
"""  # noqa: S608 - a constant of ours
_STATE = "SELECT state FROM analytics.load_tests WHERE id = %s"
_END = """
UPDATE analytics.load_tests
SET state = CASE WHEN state = 'running' THEN %(state)s ELSE state END, ended_at = greatest(started_at, now()),
    result = %(result)s
WHERE id = %(id)s
"""


@dataclass(frozen=True)
class Taken:
    """A test whose time has come, and which nobody else runs."""

    number: int
    agent: str
    params: dict[str, Any]

    @property
    def target(self) -> str:
        return f"load test {self.agent} {self.params['environment']}"


@dataclass(frozen=True)
class Ran:
    """What came of a test. `broken` are the service levels that it did not keep; `told` says who was told of an incident."""

    test: Taken
    state: str
    result: dict[str, Any]
    told: str = ""

    @property
    def broken(self) -> list[str]:
        return [level["name"] for level in self.result.get("service_levels", ()) if not level["kept"]]

    @property
    def fine(self) -> bool:
        return self.state == "done" and not self.broken


def take(connection: Connection, actor: str) -> Taken | None:
    """The next test whose time has come; None when there is none."""
    connection.execute(_LOST)
    with connection.transaction():
        row = connection.execute(_TAKE).fetchone()
        if row is None:
            return None
        test = Taken(*row)
        audit.add(connection, actor, "loadtest run", test.target, {"state": "scheduled"}, {"state": "running", **test.params})
    return test


def run(connection: Connection, settings: Settings, test: Taken, actor: str, stop: threading.Event) -> Ran:
    """Runs it to its end, to `stop`, or until somebody cancels it, and keeps what came of it."""
    try:
        load = _load(settings, test)
    except InputError as problem:
        return _kept(connection, settings, Ran(test, "failed", {"problem": str(problem).removeprefix("error: ")}), actor)
    outcome = _watched(load, stop, lambda: connection.execute(_STATE, (test.number,)).fetchone() == ("running",))
    levels = [] if stop.is_set() else judged(settings, test.agent, test.params["environment"], outcome)
    result = {**outcome.as_json(), "service_levels": levels}
    if stop.is_set():
        state = "cancelled"
    elif not levels and not any(answer.status for answer in outcome.answers):
        state, result["problem"] = "failed", "no request was answered" if outcome.answers else "no request was sent"
    else:
        state = "done"
    return _kept(connection, settings, Ran(test, state, result), actor)


def _load(settings: Settings, test: Taken) -> Load:
    """The load of a test, as the configuration allows it now. Raises InputError when it does not."""
    wanted, target = test.params, target_of(settings, test.params["environment"])
    refuse_beyond(target, wanted["per_second"], wanted["at_once"], wanted["for"])
    headers = authorization(target.authorization_file)
    where = address(target, test.agent)
    return Load(where, wanted["per_second"], wanted["seconds"], wanted["at_once"], target.method, target.body, headers)


def _watched(load: Load, stop: threading.Event, wanted: Callable[[], bool]) -> Outcome:
    """The load, put from a thread of its own. Ctrl-C sets `stop`, as does the end of the wish."""
    found: list[Outcome] = []
    worker = Thread(target=lambda: found.append(put(load, stop)), daemon=True)
    worker.start()
    while worker.is_alive():
        try:
            worker.join(LOOK_SECONDS)
            if worker.is_alive() and not stop.is_set() and not wanted():
                stop.set()
        except KeyboardInterrupt:
            if stop.is_set():
                raise
            stop.set()
    return found[0]


def judged(settings: Settings, agent: str, environment: str, outcome: Outcome) -> list[dict[str, Any]]:
    """How the answers did against every service level of the agent on times or errors; none where nothing was sent.

    A request that was never sent for want of room would not have been good either: whoever waits has no answer.
    """
    found = []
    for level in settings.slo:
        applies = (not level.agents or agent in level.agents) and (not level.environments or environment in level.environments)
        if level.sli not in ("latency", "errors") or not applies or level.objective is None or not outcome.answers:
            continue
        good = 100 * _good(level, outcome)
        objective = float(level.objective)
        found.append({"name": level.name, "good_percent": round(good, 3), "objective": objective, "kept": good >= objective})
    return found


def _good(level: Slo, outcome: Outcome) -> float:
    """Of latency, the share of good answers within the target; of errors, the share of all that are good.

    What was never sent is among all, and within no target.
    """
    good = [answer for answer in outcome.answers if answer.good]
    if level.sli == "errors":
        return len(good) / (len(outcome.answers) + outcome.not_sent)
    assert level.target_seconds is not None
    within = sum(answer.seconds <= level.target_seconds for answer in good)
    return within / (len(good) + outcome.not_sent) if good else 0.0


def _kept(connection: Connection, settings: Settings, ran: Ran, actor: str) -> Ran:
    over = False
    with connection.transaction():
        connection.execute(_END, {"id": ran.test.number, "state": ran.state, "result": Jsonb(ran.result)})
        audit.add(
            connection, actor, "loadtest result", ran.test.target, {"state": "running"}, {"state": ran.state, **ran.result}
        )
        if ran.broken:
            incidents.opened(connection, _KIND, ran.test.target, ran.result)
        elif ran.state == "done":
            over = incidents.closed(connection, _KIND, ran.test.target)
    if not ran.broken and not over:
        return ran
    event: webhook.Event = "opened" if ran.broken else "closed"
    place = settings.actions.incidents.webhook
    return replace(ran, told=webhook.told(place, event, _KIND, ran.test.target, actor, ran.result))
