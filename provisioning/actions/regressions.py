"""Regressions that people flag or dismiss: a row of `analytics.regressions`, and an incident while one is flagged."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from contract.actions import Webhook
from provisioning.actions import incidents, webhook
from provisioning.actions.action import Change
from provisioning.actions.audit import Connection
from provisioning.findings import InputError, closest

Metric = Literal["errors", "latency"]
_DAYS = 7

_FIGURES = """
SELECT count(*) FILTER (WHERE status <> 'cancelled'),
       count(*) FILTER (WHERE status IN ('failure', 'error', 'timeout')),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE status = 'success') / 1000
FROM analytics.agent_executions
WHERE agent_name = %(agent)s AND environment = %(environment)s AND version = %(version)s
  AND end_time > now() - %(days)s * interval '1 day'
"""
_VERSIONS = """
SELECT d.version FROM analytics.deployments d JOIN analytics.agents a ON a.id = d.agent_id
WHERE a.name = %(agent)s AND d.environment = %(environment)s GROUP BY d.version ORDER BY min(d.deployed_at)
"""
_KNOWN = """
SELECT id, state, source FROM analytics.regressions
WHERE agent = %(agent)s AND version = %(version)s AND environment = %(environment)s AND metric = %(metric)s
ORDER BY id DESC LIMIT 1
"""
_INSERT = """
INSERT INTO analytics.regressions (agent, version, environment, metric, before, after, detected_at, source, state)
VALUES (%(agent)s, %(version)s, %(environment)s, %(metric)s, %(before)s, %(after)s, now(), 'manual', 'confirmed')
"""
_STATE = "UPDATE analytics.regressions SET state = %(state)s WHERE id = %(id)s"


class Figures(NamedTuple):
    """Of one version in the last days: executions that ended, the share that failed, the median of seconds."""

    ended: int
    failed: int
    median: float | None

    def value(self, metric: Metric) -> float | None:
        return self.median if metric == "latency" else self.failed / self.ended if self.ended else None


@dataclass(frozen=True)
class Judgement:
    """Flags a measure of a version as worse than the version before it, or dismisses that; tells `webhook` of it.

    `path` is the configuration that was named, if one was.
    """

    path: Path | None
    agent: str
    version: str
    environment: str
    metric: Metric
    reason: str
    flagged: bool
    webhook: Webhook | None = None
    reads_database: ClassVar[bool] = True

    @property
    def target(self) -> str:
        return f"regression {self.agent} {self.version} {self.environment} {self.metric}"

    def planned(self, connection: Connection | None) -> Change:
        assert connection is not None
        known = self._known(connection)
        before = None if known is None else {"state": known[1]}
        if known is None and not self.flagged:
            raise InputError(f"error: there is no {self.target}; `observatory regression list` shows those that there are")
        said: tuple[str, ...] = (f"  because: {self.reason}",) if self.reason else ()
        evidence: dict[str, Any] = {"reason": self.reason}
        if self.flagged:
            previous, old, new = self._sides(connection)
            said += (f"  {previous}: {_told(old)}", f"  {self.version}: {_told(new)}")
            evidence |= {"previous": previous, "days": _DAYS, "before": old._asdict(), "after": new._asdict()}
        action, other = ("flag", "dismiss") if self.flagged else ("dismiss", "flag")
        here = ["--config", str(self.path)] if self.path else []
        place = shlex.join([self.agent, self.version, "--environment", self.environment, "--metric", self.metric, *here])
        after = {"state": "confirmed" if self.flagged else "dismissed"}
        rollback = f"observatory regression {other} {place}"
        return Change(f"regression {action}", self.target, before, after, rollback, said, evidence, self._teller(evidence))

    def carry_out(self, connection: Connection, change: Change) -> Callable[[], None]:
        known = self._known(connection)
        if known is not None:
            connection.execute(_STATE, {"state": change.after["state"], "id": known[0]})
        if self.flagged:
            if known is None:
                sides = {side: Figures(**change.evidence[side]).value(self.metric) for side in ("before", "after")}
                connection.execute(_INSERT, self._key | sides)
            incidents.opened(connection, "regression", self.target, change.evidence)
        else:
            incidents.closed(connection, "regression", self.target)
        return lambda: None

    def _teller(self, evidence: dict[str, Any]) -> Callable[[str], str]:
        event: webhook.Event = "opened" if self.flagged else "closed"
        return lambda actor: webhook.told(self.webhook, event, "regression", self.target, actor, evidence)

    @property
    def _key(self) -> dict[str, Any]:
        return {"agent": self.agent, "version": self.version, "environment": self.environment, "metric": self.metric}

    def _known(self, connection: Connection) -> tuple[int, str, str] | None:
        row = connection.execute(_KNOWN, self._key).fetchone()
        return None if row is None else (row[0], row[1], row[2])

    def _sides(self, connection: Connection) -> tuple[str, Figures, Figures]:
        """The version before, its figures, and those of this version. Raises InputError when one of them is not known."""
        versions = [version for (version,) in connection.execute(_VERSIONS, self._key).fetchall()]
        if self.version not in versions:
            remedy = closest(self.version, versions) or "name an agent and a version that were deployed there"
            raise InputError(f"error: {self.agent} was never {self.version} in {self.environment}; {remedy}")
        place = versions.index(self.version)
        if place == 0:
            raise InputError(
                f"error: {self.version} is the first version of {self.agent} in {self.environment}: none is before it"
            )
        old, new = (self._figures(connection, version) for version in versions[place - 1 : place + 1])
        if old.value(self.metric) is None or new.value(self.metric) is None:
            raise InputError(
                f"error: {self.metric} cannot be compared: in the last {_DAYS} days {versions[place - 1]} ended {old.ended} "
                f"executions, {self.version} {new.ended}"
            )
        return versions[place - 1], old, new

    def _figures(self, connection: Connection, version: str) -> Figures:
        row = connection.execute(_FIGURES, self._key | {"version": version, "days": _DAYS}).fetchone()
        assert row is not None
        return Figures(*row)


def _told(figures: Figures) -> str:
    median = "" if figures.median is None else f", median {figures.median:.2f} s"
    return f"{figures.ended} executions, {figures.failed} failed{median} (last {_DAYS} days)"


def listed(connection: Connection) -> list[dict[str, Any]]:
    """The regressions that were found or flagged, newest first."""
    rows = connection.execute(
        "SELECT agent, version, environment, metric, before, after, p_value, detected_at, source, state "
        "FROM analytics.regressions ORDER BY detected_at DESC, id DESC LIMIT 100"
    )
    names = [column.name for column in rows.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
