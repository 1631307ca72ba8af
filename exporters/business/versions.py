"""How the newest version of each agent does beside the version before it, read from the roll-ups. Pure but for `Sides.read`.

Both are looked at over the same length of time: the newest from its deployment on, the one before up to that moment. The length
grows in nine steps, and the figures move only with them: who looks at every moment finds a chance difference sooner or later.
For the same reason a p-value is multiplied by the number of steps (Bonferroni), so it holds for all of them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from contract.buckets import AGENT, quantile
from contract.status import FAILED
from exporters.business.significance import failure_ratio, longer, more_failures
from exporters.database.mapping import Mapping
from exporters.database.sessions import Connection, Rows
from exporters.rollups.model import HISTOGRAM_COLUMNS, SEPARATOR
from exporters.rollups.sources.work import EXECUTIONS
from exporters.snapshot import Sample, sample

if TYPE_CHECKING:
    from contract.thresholds import Thresholds

_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
LENGTHS = (*(n * _MINUTE for n in (5, 10, 20, 40, 80)), *(n * _HOUR for n in (3, 6, 12, 24)))
TOLD_FOR = timedelta(days=7)
"""How long after a deployment its version is held against the one before."""

_SETTLING = _MINUTE
"""What has ended is counted within this time."""

ERRORS, LATENCY = "errors", "latency"
MEASURES = (ERRORS, LATENCY)

_ENDED = next(fact for fact in EXECUTIONS.facts if fact.name == "executions_ended")
_HISTOGRAM = HISTOGRAM_COLUMNS[: len(AGENT) + 1]


class Change(NamedTuple):
    """A version took the place of another; `since` is its first deployment after that one, in UTC."""

    agent: str
    environment: str
    version: str
    previous: str
    since: datetime


class Side(NamedTuple):
    """Executions that ended: how many, how many failed, and the durations of those that succeeded by the bounds of AGENT."""

    ended: int
    failed: int
    durations: tuple[int, ...]


_NOTHING = Side(0, 0, (0,) * len(_HISTOGRAM))


@dataclass(frozen=True)
class Comparison:
    """Two versions over one length of time; `length` says which of LENGTHS it is."""

    change: Change
    length: timedelta
    new: Side
    previous: Side

    def values(self, measure: str) -> tuple[float, float] | None:
        """The figure before and after: a share of failures, or the median of the durations in seconds. None without any."""
        if measure == ERRORS:
            if not (self.previous.ended and self.new.ended):
                return None
            return self.previous.failed / self.previous.ended, self.new.failed / self.new.ended
        if not (any(self.previous.durations) and any(self.new.durations)):
            return None
        return quantile(0.5, self.previous.durations, AGENT), quantile(0.5, self.new.durations, AGENT)

    def ratio(self, measure: str) -> float | None:
        """Newest / the one before; above 1 is worse."""
        found = self.values(measure)
        if found is None:
            return None
        if measure == ERRORS:
            return failure_ratio(self.new.failed, self.new.ended, self.previous.failed, self.previous.ended)
        return found[1] / found[0]

    def p_value(self, measure: str, minimum: int) -> float | None:
        """The chance of being worse by so much in any of the nine steps; None when a side has fewer than `minimum`."""
        sizes = [side.ended if measure == ERRORS else sum(side.durations) for side in (self.new, self.previous)]
        if min(sizes) < max(1, minimum):
            return None
        if measure == ERRORS:
            p = more_failures(self.new.failed, self.new.ended, self.previous.failed, self.previous.ended)
        else:
            p = longer(self.new.durations, self.previous.durations)
        return min(1.0, p * len(LENGTHS))


def changes_question(mapping: Mapping, now: datetime) -> sql.Composed:
    """For each agent and environment the newest version, the one before it, and since when it has served.

    A version that is deployed again counts from its first deployment; who goes back to an older version has that one newly.
    """
    return sql.SQL(
        "WITH deployed AS (SELECT name AS agent, d.environment, version, deployed_at AS at FROM {deployments} AS d"
        " JOIN {agents} AS a ON a.id = agent_id WHERE deployed_at <= {now}),"
        " newest AS (SELECT DISTINCT ON (agent, environment) agent, environment, version, at FROM deployed"
        " ORDER BY agent, environment, at DESC, version DESC),"
        " replaced AS (SELECT DISTINCT ON (agent, environment) agent, environment, newest.version,"
        " deployed.version AS previous, deployed.at FROM newest JOIN deployed USING (agent, environment)"
        " WHERE deployed.version <> newest.version AND newest.at > {since}"
        " ORDER BY agent, environment, deployed.at DESC, deployed.version DESC)"
        " SELECT agent, environment, version, previous, min(deployed.at) AS since"
        " FROM replaced JOIN deployed USING (agent, environment, version) WHERE deployed.at >= replaced.at"
        " GROUP BY agent, environment, version, previous HAVING min(deployed.at) > {since} ORDER BY 1, 2"
    ).format(deployments=mapping.table("deployments"), agents=mapping.table("agents"), now=now, since=now - TOLD_FOR)


def length_at(change: Change, now: datetime) -> timedelta | None:
    """The greatest of LENGTHS that has passed since a deployment; None before the first has."""
    passed = now - change.since - _SETTLING
    return max((length for length in LENGTHS if length <= passed), default=None)


class _Part(NamedTuple):
    """One side of a comparison: a version over `[start, until)`, in whole buckets of a tier."""

    version: str
    tier: str
    start: datetime
    until: datetime


def _parts(change: Change, length: timedelta) -> tuple[_Part, _Part]:
    """The newest and the one before, around the full minute or hour of the deployment. The version tells them apart in it."""
    by_hour = length > LENGTHS[4]
    begin = change.since.replace(second=0, microsecond=0)
    tier, begin = ("hour", begin.replace(minute=0)) if by_hour else ("minute", begin)
    return _Part(change.version, tier, begin, begin + length), _Part(change.previous, tier, begin - length, begin)


def sides_question(change: Change, length: timedelta) -> sql.Composed:
    """Rows of the number of a side, the status, how many, and the buckets of those that succeeded.

    The series are looked up first and their buckets by them: the tiers hold those of all agents.
    """
    branches = [branch for side, part in enumerate(_parts(change, length)) for branch in _branches(side, change, part)]
    return sql.SQL(" UNION ALL ").join(branches)


def _branches(side: int, change: Change, part: _Part) -> Iterator[sql.Composed]:
    status, outcome = (list(_ENDED.labels).index(label) + 1 for label in ("status", "outcome"))
    place = {
        "side": side,
        "fact": _ENDED.name,
        "status": status,
        "outcome": outcome,
        "start": part.start,
        "until": part.until,
        "first": [change.agent, part.version, change.environment],
    }
    after = [change.agent, part.version, change.environment + "\x01"]  # the index holds what begins with three labels together
    kept = sql.SQL(", ").join(
        sql.SQL("CASE WHEN labels[{}] = 'success' THEN coalesce(analytics.total({}), 0) ELSE 0 END").format(
            outcome, sql.Identifier("r", name)
        )
        for name in _HISTOGRAM
    )
    yield sql.SQL(
        "SELECT {side}, labels[{status}], coalesce(analytics.total(r.n), 0), {kept} FROM analytics.totals"
        " JOIN analytics.{table} AS r USING (series) WHERE fact = {fact} AND labels >= {first}::text[]"
        " AND labels < {after}::text[] AND r.bucket >= {start} AND r.bucket < {until} GROUP BY labels"
    ).format(kept=kept, table=sql.Identifier(f"rollup_{part.tier}"), after=after, **place)
    fresh = sql.SQL(", ").join(
        sql.SQL("coalesce(analytics.total({}) FILTER (WHERE cells[{}] = 'success'), 0)").format(sql.Identifier(name), outcome)
        for name in _HISTOGRAM
    )
    yield sql.SQL(
        "SELECT {side}, cells[{status}], coalesce(analytics.total(n), 0), {fresh} FROM analytics.fresh,"
        " string_to_array(labels, {separator}) AS cells WHERE fact = {fact} AND cells[1:3] = {first}::text[]"
        " AND at >= {start} AND at < {until} GROUP BY cells"
    ).format(fresh=fresh, separator=SEPARATOR, **place)


def sides(rows: Rows) -> tuple[Side, Side]:
    """The newest and the one before, from rows of `sides_question`."""
    found = [_NOTHING, _NOTHING]
    for side, status, n, *durations in rows:
        known = found[side]
        added = tuple(a + b for a, b in zip(known.durations, durations, strict=True))
        found[side] = Side(known.ended + n, known.failed + n * (status in FAILED), added)
    return found[0], found[1]


class Comparisons:
    """What was read is kept for a while: the counts of a past time hardly change, only what was counted late comes in."""

    _KEPT = 0.2
    """The part of a comparison's length for which it is kept."""

    def __init__(self) -> None:
        self._known: dict[tuple[Change, timedelta], tuple[datetime, Comparison]] = {}

    def read(self, connection: Connection, changes: Iterable[Change], now: datetime) -> list[Comparison]:
        """The comparisons that can be made at `now`, in a transaction of the caller."""
        found = {}
        for change in changes:
            length = length_at(change, now)
            if length is None:
                continue
            known = self._known.get((change, length))
            if known is None or now - known[0] > self._KEPT * length:
                new, previous = sides(connection.execute(sides_question(change, length)).fetchall())
                known = now, Comparison(change, length, new, previous)
            found[change, length] = known
        self._known = found
        return [comparison for _, comparison in found.values()]


def samples(comparisons: Sequence[Comparison], thresholds: Thresholds) -> Iterator[Sample]:
    for one in comparisons:
        place = (one.change.agent, one.change.environment)
        for side, version, counted in (("new", one.change.version, one.new), ("previous", one.change.previous, one.previous)):
            yield sample("platform_version_sample", *place, side, version, value=counted.ended)
        for measure in MEASURES:
            if (ratio := one.ratio(measure)) is not None:
                yield sample("platform_version_regression_ratio", *place, measure, value=ratio)
            if (p := one.p_value(measure, thresholds.regression_minimum)) is not None:
                yield sample("platform_version_regression_p_value", *place, measure, value=p)
