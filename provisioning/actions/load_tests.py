"""Load tests that people schedule and cancel: a row of `analytics.load_tests`, which `observatory loadtest run` acts on."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from psycopg.types.json import Jsonb

from contract.load_tests import WAITING, LoadTarget
from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.actions.action import Change
from provisioning.actions.audit import Connection
from provisioning.actions.lengths import seconds_within
from provisioning.actions.places import refuse_unknown
from provisioning.findings import InputError

SHORTEST = "10s"
AT_ONCE = 10
"""How many wait for an answer, where nothing else is said and the target allows as many."""
AHEAD = timedelta(days=30)
_STANDING = f"""
SELECT params, scheduled_at FROM analytics.load_tests
WHERE scope = %(agent)s AND params->>'environment' = %(environment)s AND {WAITING} ORDER BY id DESC LIMIT 1
"""  # noqa: S608 - a constant of ours
_CANCEL = """
UPDATE analytics.load_tests
SET state = 'cancelled', ended_at = CASE WHEN started_at IS NOT NULL THEN greatest(started_at, now()) END
WHERE scope = %(agent)s AND params->>'environment' = %(environment)s AND state IN ('scheduled', 'running')
"""
_SCHEDULE = """
INSERT INTO analytics.load_tests (scope, params, scheduled_at)
VALUES (%(agent)s, %(params)s, coalesce(%(at)s, now()))
"""
_LISTED = f"""
SELECT scope AS agent, params, scheduled_at, started_at, ended_at,
       CASE WHEN state IN ('scheduled', 'running') AND NOT {WAITING} THEN 'lost' ELSE state END AS state, result
FROM analytics.load_tests ORDER BY id DESC LIMIT 100
"""  # noqa: S608 - a constant of ours


@dataclass(frozen=True)
class Wanted:
    """`per_second` requests for `length` (such as `1m`), at most `at_once` at a time, not before `at`."""

    per_second: float
    length: str
    at_once: int
    at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        when = {} if self.at is None else {"at": f"{self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        return {"per_second": self.per_second, "for": self.length, "at_once": self.at_once, **when}


@dataclass(frozen=True)
class LoadTest:
    """Schedules a load test of an agent, in place of one that waits; None: cancels that.

    `path` is the configuration that was named, if one was.
    `allowed`: also where people would notice, in an environment that may wake people.
    """

    path: Path | None
    settings: Settings
    agent: str
    environment: str
    wanted: Wanted | None
    allowed: bool = False
    reads_database: ClassVar[bool] = True

    def planned(self, connection: Connection | None) -> Change:
        assert connection is not None
        refuse_unknown(connection, self.agent, self.environment)
        row = connection.execute(_STANDING, self._key).fetchone()
        before = (
            None if row is None else {name: row[0][name] for name in ("per_second", "for", "at_once", "at") if name in row[0]}
        )
        after: dict[str, Any] | None = None
        said: tuple[str, ...] = ()
        if self.wanted is not None:
            target = self._target()
            self._refuse_what_is_odd(target, self.wanted)
            after = self.wanted.as_json()
            requests = self.wanted.per_second * duration_seconds(self.wanted.length)
            said = (f"  about {requests:.0f} requests to {address(target, self.agent)}; `observatory loadtest run` does it",)
        name = "loadtest cancel" if self.wanted is None else "loadtest schedule"
        return Change(name, f"load test {self.agent} {self.environment}", before, after, self._rollback(before), said)

    def carry_out(self, connection: Connection, change: Change) -> Callable[[], None]:
        connection.execute(_CANCEL, self._key)
        if self.wanted is not None:
            params = {"environment": self.environment, "seconds": duration_seconds(self.wanted.length), **change.after}
            connection.execute(_SCHEDULE, self._key | {"params": Jsonb(params), "at": self.wanted.at})
        return lambda: None

    @property
    def _key(self) -> dict[str, Any]:
        return {"agent": self.agent, "environment": self.environment}

    def _rollback(self, before: dict[str, Any] | None) -> str:
        words = ["observatory", "loadtest", "cancel" if before is None else "schedule", self.agent]
        words += ["--environment", self.environment]
        for name, value in (before or {}).items():
            if name == "at" and datetime.fromisoformat(value) < datetime.now(UTC):
                continue  # its moment has come
            words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
        words += ["--people-notice"] if before and self._people_notice else []
        return shlex.join([*words, *(["--config", str(self.path)] if self.path else [])])

    @property
    def _people_notice(self) -> bool:
        return self.environment in self.settings.notifications.paging_environments

    def _target(self) -> LoadTarget:
        return target_of(self.settings, self.environment)

    def _refuse_what_is_odd(self, target: LoadTarget, wanted: Wanted) -> None:
        if self._people_notice and not self.allowed:
            raise InputError(
                f"error: people are in {self.environment}, and may notice; say --people-notice if it has to be there"
            )
        refuse_beyond(target, wanted.per_second, wanted.at_once, wanted.length)
        now = datetime.now(UTC)
        if wanted.at is not None and not now - timedelta(minutes=1) <= wanted.at <= now + AHEAD:
            raise InputError(f"error: --at {wanted.as_json()['at']} is not within the next {AHEAD.days} days")


def target_of(settings: Settings, environment: str) -> LoadTarget:
    """The configured target of an environment. Raises InputError where there is none."""
    targets = {target.environment: target for target in settings.load_tests.targets}
    if environment not in targets:
        known = f"there are targets for: {', '.join(targets)}" if targets else "there is none at all"
        raise InputError(f"error: load_tests.targets names no target for {environment}; {known}")
    return targets[environment]


def refuse_beyond(target: LoadTarget, per_second: float, at_once: int, length: str) -> None:
    """Raises InputError for more than the target's configuration allows."""
    place = f"load_tests.targets allows for {target.environment}"
    if not 0 < per_second <= target.per_second:
        raise InputError(f"error: --per-second {per_second:g}: {place} at most {target.per_second:g}, and more than 0")
    if not 1 <= at_once <= target.at_once:
        raise InputError(f"error: --at-once {at_once}: {place} 1 to {target.at_once}")
    seconds_within("--for", length, SHORTEST, target.longest)


def address(target: LoadTarget, agent: str) -> str:
    """Where a test of an agent goes."""
    return target.url.replace("{agent}", quote(agent, safe=""))


def listed(connection: Connection) -> list[dict[str, Any]]:
    """The last hundred tests, newest first."""
    rows = connection.execute(_LISTED)
    names = [column.name for column in rows.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
