"""What a request asks for: the range, the filters, the page, the form; and what it may not ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from api.problems import wrong

DAYS = 7
"""How far back an answer looks when nothing else is said."""
PAGE_SIZE, MOST_PAGE_SIZE, MOST_PAGE = 100, 1000, 10_000
MOST_VALUES, MOST_VALUE = 50, 200
"""How many values a filter takes, and how long each may be."""

RANGE = ("start_date", "end_date", "days")
PAGING = ("page", "page_size")
Values = Mapping[str, Sequence[str]]
Form = Literal["json", "csv"]


@dataclass(frozen=True)
class Range:
    """The range as it was asked for; without an end it ends now, whenever that is."""

    start: datetime | None
    end: datetime | None
    days: int

    def at(self, now: datetime) -> tuple[datetime, datetime]:
        """Begin and end."""
        end = self.end or now
        return self.start or end - timedelta(days=self.days), end


@dataclass(frozen=True)
class Page:
    number: int = 1
    size: int = PAGE_SIZE

    @property
    def parameters(self) -> dict[str, int]:
        """One row more than is shown, to know whether there is more."""
        return {"limit": self.size + 1, "offset": (self.number - 1) * self.size}


FIRST_PAGE = Page()


def known(values: Values, names: Sequence[str]) -> None:
    """Raises Problem for a parameter that is not one of these: a filter that is misspelt would let everything through."""
    for name in values:
        if name not in names:
            raise wrong(f"{name[:60]!r} is no parameter here; want {', '.join(names) or 'none'}")


def _one(values: Values, name: str) -> str | None:
    given = values.get(name, ())
    if len(given) > 1:
        raise wrong(f"{name} is given {len(given)} times; give it once")
    return given[0] if given else None


def whole(values: Values, name: str, default: int, least: int, most: int) -> int:
    """A whole number between two others. Raises Problem."""
    text = _one(values, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
        raise wrong(f"{name} is a whole number from {least} to {most}, not {text[:40]!r}")
    return int(text)


def moment(text: str, name: str, ends: bool) -> datetime:
    """An ISO date or time (UTC unless it says otherwise). A date is its begin, or its last microsecond when it `ends`."""
    try:
        with suppress(ValueError):  # it is no date, but perhaps a time
            return datetime.combine(date.fromisoformat(text), time.max if ends else time.min, UTC)
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong(f"{name} is an ISO date or time such as 2026-01-31 or 2026-01-31T08:00:00Z, not {text[:40]!r}") from None
    return found


def range_of(values: Values, most_days: int) -> Range:
    """The range that is asked for. Raises Problem when it is none, or longer than `most_days`."""
    starts, ends = _one(values, "start_date"), _one(values, "end_date")
    days = whole(values, "days", min(DAYS, most_days), 1, most_days)
    start = moment(starts, "start_date", ends=False) if starts is not None else None
    end = moment(ends, "end_date", ends=True) if ends is not None else None
    if start is not None and "days" in values:
        raise wrong("start_date and days say the same; give one of them")
    for name, found in (("start_date", start), ("end_date", end)):
        if found is not None and not 2000 <= found.year <= 2199:
            raise wrong(f"{name} lies between the years 2000 and 2199")
    if start is not None and end is not None and start > end:
        raise wrong("start_date lies after end_date")
    return Range(start, end, days)


def bounded(range_: Range, now: datetime, most_days: int) -> tuple[datetime, datetime]:
    """Begin and end, when the range that is asked for is none too long until now. Raises Problem."""
    since, until = range_.at(now)
    if since > until:
        raise wrong("start_date lies in the future; say an end_date after it")
    if until - since > timedelta(days=most_days + 1):
        raise wrong(f"the range is longer than {most_days} days")
    return since, until


def page_of(values: Values) -> Page:
    return Page(whole(values, "page", 1, 1, MOST_PAGE), whole(values, "page_size", PAGE_SIZE, 1, MOST_PAGE_SIZE))


def form_of(values: Values, accept: str) -> Form:
    """JSON unless CSV is asked for, by the parameter `format` or by the header."""
    text = _one(values, "format")
    if text is None:
        return "csv" if accept.partition(";")[0].strip().lower() == "text/csv" else "json"
    if text == "json":
        return "json"
    if text == "csv":
        return "csv"
    raise wrong(f"format is json or csv, not {text[:40]!r}")


def filters_of(values: Values, names: Sequence[str]) -> dict[str, list[str]]:
    """The values of each filter that is given: a row passes with any of them. Raises Problem."""
    found: dict[str, list[str]] = {}
    for name in names:
        if given := values.get(name):
            found[name] = filter_values(name, given)
    return found


def filter_values(name: str, given: Sequence[Any]) -> list[str]:
    """The values of one filter, each once. Raises Problem."""
    if not given or len(given) > MOST_VALUES:
        raise wrong(f"{name} takes 1 to {MOST_VALUES} values, not {len(given)}")
    for value in given:
        if not isinstance(value, str) or len(value) > MOST_VALUE or "\0" in value:
            raise wrong(f"a value of {name} is a text of at most {MOST_VALUE} characters, without the zero character")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise wrong(f"a value of {name} is no text") from None
    return sorted(set(given))


def uuid_of(text: str, name: str) -> str:
    """A UUID as it is written. Raises Problem."""
    try:
        return str(UUID(text))
    except ValueError:
        raise wrong(f"{name} is a UUID such as 123e4567-e89b-12d3-a456-426614174000, not {text[:40]!r}") from None
