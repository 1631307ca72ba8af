"""A model call and a score as the ledger keeps them, made of what Langfuse sends.

Version 4 and version 3 spell some fields differently; both are read. No text that a person or a model wrote is kept: of an
error's message only its kind, of a user only the keyed hash.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from contract import status
from exporters.journal import QueryFailed
from exporters.langfuse.client import CALL_TYPES
from exporters.langfuse.prices import Cost, PriceList
from exporters.langfuse.usage import TOTAL, tokens_by_type, total_tokens

UNKNOWN = "unknown"
NANO, MICRO = 1_000_000_000, 1_000_000
"""The ledger counts in whole billionths of a dollar and millionths of a second, so that sums are exact."""

_LONGEST_NAME = 120
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_MOST_TOKENS, _MOST_USD, _MOST_SCORE = 10**10, 100_000.0, 10.0**9
_LONGEST_SECONDS = 30 * 86_400.0
"""What a call cannot have used, cost or taken, and what is too much for a score. Clients send what they like, and sums of many
such values have to stay whole numbers of 64 bits: one of them must not stop what comes after it."""

_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)
_LATEST_VERSION = 2**31 - 1

SCORE_TYPES = ("NUMERIC", "BOOLEAN", "CATEGORICAL")
"""Other types of scores are texts."""

_ERROR_WORDS = (
    ("rate_limit", ("rate limit", "rate_limit", "429", "quota", "too many requests")),
    ("timeout", ("timeout", "timed out", "deadline")),
    ("auth", ("401", "403", "unauthorized", "forbidden", "api key", "permission")),
    ("validation", ("400", "422", "invalid", "validation", "context length", "too long")),
    ("tool", ("tool", "function call")),
    ("llm", ("model", "provider", "overloaded", "500", "502", "503", "content filter", "llm")),
)
"""What messages of errors are about, the first that fits. Providers word them as they like: a message is a hint, no more."""


class Call(NamedTuple):
    """One model call. Names as in `analytics.llm_calls`; times are UTC, money is nano-USD, durations are microseconds."""

    observation_id: str
    trace_id: str | None
    session_id: str | None
    user_key: str | None
    agent: str
    version: str | None
    environment: str
    model: str
    provider: str | None
    type: str
    level: str
    status: str
    error_type: str | None
    started_at: datetime
    ended_at: datetime | None
    first_token_at: datetime | None
    tokens: tuple[int, ...]
    total_tokens: int
    input_cost: int | None
    output_cost: int | None
    total_cost: int | None
    cost_source: str | None
    prompt_name: str | None
    prompt_version: int | None
    release: str | None
    changed_at: datetime
    conversation_id: str | None = None
    user_role: str | None = None
    department: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it is finished enough to be counted: it ended, or brought its usage or cost. What it is about may still
        change before that, and a counter cannot take anything back."""
        return self.ended_at is not None or self.total_tokens > 0 or self.total_cost is not None

    @property
    def duration(self) -> int | None:
        """Microseconds from start to end; None as well where that is longer than any call takes."""
        span = None if self.ended_at is None else self.ended_at - self.started_at
        return None if span is None or span.total_seconds() > _LONGEST_SECONDS else max(0, _micros(span))

    @property
    def first_token(self) -> int | None:
        """Microseconds from the start to the first token of a streamed call."""
        return None if self.first_token_at is None else max(0, _micros(self.first_token_at - self.started_at))


class Score(NamedTuple):
    """One judgement. Names as in `analytics.llm_scores`. `value` is None for categories, which have `string_value`."""

    score_id: str
    name: str
    source: str
    environment: str
    data_type: str
    value: float | None
    string_value: str | None
    trace_id: str | None
    observation_id: str | None
    session_id: str | None
    at: datetime
    changed_at: datetime


def read_call(row: Mapping[str, Any], prices: PriceList, user_key: Callable[[str], str | None]) -> Call:
    """A model call from a row of either endpoint. Raises QueryFailed for a row that is none."""
    usage = _amounts(row.get("usageDetails"), "usageDetails", 0, _MOST_TOKENS)
    model = _name(row.get("providedModelName") or row.get("model")) or UNKNOWN
    started = _time(row, "startTime")
    cost = _possible(_recorded(row)) or _possible(prices.cost(model, usage, started))
    level, message, user = str(row.get("level") or "DEFAULT"), row.get("statusMessage"), row.get("userId")
    failed = level == "ERROR"
    return Call(
        observation_id=_id(row),
        trace_id=_name(row.get("traceId")),
        session_id=_name(row.get("sessionId")),
        user_key=user_key(str(user)) if user else None,
        agent=_name(row.get("traceName")) or UNKNOWN,
        version=_name(row.get("version")),
        environment=_name(row.get("environment")) or "default",
        model=model,
        provider=model.partition("/")[0] if "/" in model else None,
        type=_call_type(row),
        level=level,
        status=status.ERROR if failed else status.SUCCESS,
        error_type=error_type(str(message or "")) if failed else None,
        started_at=started,
        ended_at=_time_or_none(row, "endTime"),
        first_token_at=_first_token(row, started),
        tokens=tuple(tokens_by_type(usage).values()),
        total_tokens=total_tokens(usage),
        input_cost=_nano(cost.input) if cost else None,
        output_cost=_nano(cost.output) if cost else None,
        total_cost=_nano(cost.total) if cost else None,
        cost_source=cost.source if cost else None,
        prompt_name=_name(row.get("promptName")),
        prompt_version=_version(row.get("promptVersion")),
        release=_name(row.get("release")),
        changed_at=_time_or_none(row, "updatedAt") or _time_or_none(row, "endTime") or started,
    )


def read_score(row: Mapping[str, Any]) -> Score | None:
    """A score from a row of either endpoint, None for one that is a text. Raises QueryFailed for a row that is none."""
    kind = str(row.get("dataType"))
    if kind not in SCORE_TYPES:
        return None
    raw, text = row.get("value"), row.get("stringValue")
    if kind == "CATEGORICAL":
        value, text = None, raw if isinstance(raw, str) else text
    else:
        value, text = _amount(raw, "value", -_MOST_SCORE, _MOST_SCORE), None
    subject = row.get("subject")
    subject = subject if isinstance(subject, Mapping) else {}
    of = {str(subject.get("kind")): _name(subject.get("id"))}
    at = _time(row, "timestamp")
    return Score(
        score_id=_id(row),
        name=_name(row.get("name")) or UNKNOWN,
        source=_name(row.get("source")) or UNKNOWN,
        environment=_name(row.get("environment")) or "default",
        data_type=kind,
        value=value,
        string_value=_name(text),
        trace_id=_name(row.get("traceId") or subject.get("traceId")) or of.get("trace"),
        observation_id=_name(row.get("observationId")) or of.get("observation"),
        session_id=_name(row.get("sessionId")) or of.get("session"),
        at=at,
        changed_at=_time_or_none(row, "updatedAt") or at,
    )


def error_type(message: str) -> str:
    """The contract's kind of a failure, from what was said about it."""
    text = message.lower()
    return next((kind for kind, words in _ERROR_WORDS if any(word in text for word in words)), "other" if text else "llm")


def _recorded(row: Mapping[str, Any]) -> Cost | None:
    """The cost that Langfuse has; None where it has none, which version 4 shows as 0 beside an empty map."""
    details = _amounts(row.get("costDetails"), "costDetails")
    totals = (details.get(TOTAL), row.get("calculatedTotalCost"), row.get("totalCost") if details else None)
    total = next((_amount(value, "the cost") for value in totals if value is not None), None)
    if total is None:
        return None
    sides = [sum(usd for key, usd in details.items() if side in key.lower()) for side in ("input", "output")]
    return Cost(sides[0], sides[1], total, "recorded")


def _possible(cost: Cost | None) -> Cost | None:
    """A cost that a call can have had, else None: it is unknown."""
    return cost if cost is not None and all(0 <= usd <= _MOST_USD for usd in (cost.input, cost.output, cost.total)) else None


def _version(value: Any) -> int | None:
    """The number of a prompt's version; None for what is none."""
    return int(value) if isinstance(value, int | float) and 0 <= value <= _LATEST_VERSION else None


def _amounts(value: Any, name: str, least: float = -math.inf, most: float = math.inf) -> dict[str, float]:
    """A map of amounts. Old servers send them as text; null stands for none."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise QueryFailed(f"{name} is no map in an answer")
    return {str(key): _amount(amount, f"{name}.{key}", least, most) for key, amount in value.items() if amount is not None}


def _amount(value: Any, name: str, least: float = -math.inf, most: float = math.inf) -> float:
    try:
        amount = float(value)
    except (TypeError, ValueError, OverflowError):
        amount = math.nan
    if not least <= amount <= most:
        raise QueryFailed(f"{name[:60]} is {str(value)[:40]!r} in an answer, not a number that it can be")
    return amount


def _call_type(row: Mapping[str, Any]) -> str:
    if row.get("type") not in CALL_TYPES:
        raise QueryFailed(f"a row of type {str(row.get('type'))[:40]!r} among model calls")
    return str(row["type"])


def _id(row: Mapping[str, Any]) -> str:
    if not isinstance(row.get("id"), str) or not 0 < len(row["id"]) <= 500:
        raise QueryFailed("a row without an id in an answer")
    return _storable(row["id"])


def _name(value: Any) -> str | None:
    """A name that a client chose, cut to a length that a label may have."""
    return _storable(str(value))[:_LONGEST_NAME] or None if value is not None else None


def _storable(text: str) -> str:
    """Without what PostgreSQL cannot store in a text, and what no name holds: signs that control a terminal."""
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode()


def _time(row: Mapping[str, Any], key: str) -> datetime:
    at = _time_or_none(row, key)
    if at is None:
        raise QueryFailed(f"a row without {key} in an answer")
    return at


def _time_or_none(row: Mapping[str, Any], key: str) -> datetime | None:
    text = row.get(key)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(str(text))
        found = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None or not _FIRST <= found < _LAST:
        raise QueryFailed(f"{key} is {str(text)[:40]!r} in an answer, not a time that it can be")
    return found


def _first_token(row: Mapping[str, Any], started: datetime) -> datetime | None:
    """When the first token came: as a time, or in seconds after the start; None where that is longer than any call takes."""
    at, seconds = _time_or_none(row, "completionStartTime"), row.get("timeToFirstToken")
    if at is not None:
        after = (at - started).total_seconds()
    elif seconds is not None:
        after = _amount(seconds, "timeToFirstToken")
    else:
        return None
    return started + timedelta(seconds=max(0.0, after)) if after <= _LONGEST_SECONDS else None


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _nano(usd: float) -> int:
    return round(usd * NANO)
