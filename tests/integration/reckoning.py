"""What the independent side of the comparison reckons with: shares of rows, quantiles, days."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime
from typing import Any

from tests.integration.moment import Moment


def percentile(share: float, values: Iterable[float]) -> float:
    """Between the two neighbours that the share falls between."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found)


def grouped(rows: Iterable[Any], key: Callable[[Any], Hashable]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def midnight(at: datetime) -> datetime:
    """Where the day (UTC) of a moment begins."""
    return utc(at).replace(hour=0, minute=0, second=0, microsecond=0)


def ends(moment: Moment, seconds: float) -> tuple[datetime, datetime]:
    """Where a range that ends at the moment begins and ends."""
    return datetime.fromtimestamp(moment.at - seconds, UTC), datetime.fromtimestamp(moment.at, UTC)


def within(at: datetime | None, since: datetime, until: datetime) -> bool:
    return at is not None and since <= at <= until


def keys(moment: Moment) -> dict[str, str]:
    """What stands for a user where people see it."""
    return dict(moment.sql("SELECT user_id, user_key FROM analytics.user_keys"))


def words(name: str) -> str:
    return name.replace("_", " ")
