"""Where forecasts and advice stand, and the samples that are made of them. All is replaced in one transaction.

`id` of an advice depends on what is advised alone, so it stays the same from run to run, and from one exporter to another.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from contract.advice import KINDS
from contract.forecasts import SUBJECTS
from exporters.database.sessions import Connection
from exporters.outlook.series import midnight
from exporters.snapshot import Sample, sample

_CHANGE_DAYS = 28
_KEPT = timedelta(days=30)
_ID_LETTERS = 8

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('analytics.outlook', 0))"
_FORECAST = (
    "INSERT INTO analytics.forecasts (series, at, value, low, high, method, made_at) VALUES (%s, %s, %s, %s, %s, %s, %s)"
)
_TRIAL = """
INSERT INTO analytics.forecast_trials
    (series, method, used, days, points, ahead, relative, share, covered, change, made_at)
VALUES (%(series)s, %(method)s, %(used)s, %(days)s, %(points)s, %(ahead)s, %(relative)s, %(share)s, %(covered)s,
    %(change)s, %(at)s)
"""
_ADVICE = """
INSERT INTO analytics.advice (id, place, kind, agent, environment, subject, what, why, setting, before, after, effect, low,
    high, unit, p_value, not_considered, found_at, made_at)
VALUES (%(id)s, %(place)s, %(kind)s, %(agent)s, %(environment)s, %(subject)s, %(what)s, %(why)s, %(setting)s, %(before)s,
    %(after)s, %(effect)s, %(low)s, %(high)s, %(unit)s, %(p)s, %(not_considered)s, %(found_at)s, %(at)s)
"""
_RUN = "INSERT INTO analytics.outlook_runs (made_at, compared, advised, seconds) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"

LAST = "SELECT max(made_at) FROM analytics.outlook_runs"
STANDING = """
SELECT 'trial', series, share, change FROM analytics.forecast_trials WHERE used
UNION ALL SELECT 'advice', kind, count(*)::float8, NULL FROM analytics.advice GROUP BY kind
"""


def replace(
    connection: Connection, series: Mapping[str, list[float]], found: Mapping[str, Any], at: datetime, seconds: float
) -> None:
    """Puts what was worked out in the place of what stood there. `seconds` is what it took."""
    connection.execute(_LOCK)
    connection.execute("DELETE FROM analytics.forecasts")
    connection.execute("DELETE FROM analytics.forecast_trials")
    first = midnight(at)
    with connection.cursor() as cursor:
        for key, forecast in found["forecasts"].items():
            method = next(trial["method"] for trial in forecast["trials"] if trial["used"])
            days = [(first + timedelta(days=ahead), day) for ahead, day in enumerate(forecast["days"])]
            cursor.executemany(_FORECAST, [(key, day, mid, low, high, method, at) for day, (low, mid, high) in days])
            known = {"series": key, "days": len(series[key]), "at": at}
            change = _change(series[key], [mid for _, mid, _ in forecast["days"]])
            cursor.executemany(
                _TRIAL, [trial | known | {"change": change if trial["used"] else None} for trial in forecast["trials"]]
            )
    _advise(connection, found["advice"], at)
    connection.execute(_RUN, (at, found["compared"], len(found["advice"]), seconds))
    connection.execute("DELETE FROM analytics.outlook_runs WHERE made_at < %s", (at - _KEPT,))


def _change(known: list[float], ahead: list[float]) -> float | None:
    past = known[-_CHANGE_DAYS:]
    if not ahead or sum(past) <= 0:
        return None
    to_come = ahead[:_CHANGE_DAYS]
    return (sum(to_come) / len(to_come)) / (sum(past) / len(past))


def _advise(connection: Connection, advice: list[dict[str, Any]], at: datetime) -> None:
    since: dict[str, datetime] = dict(connection.execute("SELECT id, found_at FROM analytics.advice").fetchall())
    connection.execute("DELETE FROM analytics.advice")
    places: Counter[str] = Counter()
    for one in advice:
        kind, key = KINDS[one["kind"]], identity(one)
        places[kind.unit] += 1
        effect, low, high = one["effect"]
        more = {"effect": effect, "low": low, "high": high, "unit": kind.unit, "not_considered": kind.not_considered}
        where = {"id": key, "place": places[kind.unit], "found_at": since.get(key, at), "at": at}
        connection.execute(_ADVICE, one | more | where)


def identity(advice: Mapping[str, Any]) -> str:
    """Eight letters for what is advised: its kind, whom, about what, and what to set."""
    parts = (advice[name] for name in ("kind", "environment", "agent", "subject", "setting", "after"))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:_ID_LETTERS]


def samples(rows: list[tuple[str, str, float | None, float | None]], made_at: datetime | None) -> Iterator[Sample]:
    """What is published of the rows of `STANDING`. Agents' busiest hours are in the tables alone."""
    if made_at is None:
        return
    yield sample("platform_forecast_made_timestamp_seconds", value=made_at.timestamp())
    counts = {key: count for what, key, count, _ in rows if what == "advice"}
    for kind in KINDS:
        yield sample("platform_advice", kind, value=counts.get(kind) or 0)
    for what, key, share, change in rows:
        if what == "trial" and key in SUBJECTS:
            if share is not None:
                yield sample("platform_forecast_error_ratio", key, value=share)
            if change is not None:
                yield sample("platform_forecast_change_ratio", key, value=change)
