"""A question to the metrics interface: its form, and the rules that a form cannot say."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from demo.langfuse import times
from demo.langfuse.errors import InvalidData, InvalidRequest, invalid_data
from demo.langfuse.filters import Filter, Form
from demo.langfuse.views import STRING, VIEWS, Measure, View

Aggregation = Literal["sum", "avg", "count", "max", "min", "p50", "p75", "p90", "p95", "p99", "histogram", "uniq"]
DEFAULT_ROW_LIMIT = 100
"""Rows that version 2 returns when nothing is said; version 1 returns all."""


class GroupBy(Form):
    field: str


class Metric(Form):
    measure: str
    aggregation: Aggregation

    @property
    def key(self) -> str:
        return f"{self.aggregation}_{self.measure}"


class TimeDimension(Form):
    granularity: Literal["auto", "minute", "hour", "day", "week", "month"]


class OrderBy(Form):
    field: str
    direction: Literal["asc", "desc"]


class Config(Form):
    """0 rows means: not said."""

    bins: Annotated[int, Field(ge=1, le=100)] = 10
    row_limit: Annotated[int, Field(ge=1, le=1000)] = 0


class Question(Form):
    """What was asked. The names are the interface's own."""

    view: str
    dimensions: list[GroupBy] = Field(default_factory=list)
    metrics: list[Metric]
    filters: list[Filter] = Field(default_factory=list)
    timeDimension: TimeDimension | None = None
    fromTimestamp: str
    toTimestamp: str
    orderBy: list[OrderBy] | None = None
    config: Config = Config()

    @field_validator("fromTimestamp", "toTimestamp")
    @classmethod
    def _is_time(cls, value: str) -> str:
        try:
            times.from_iso(value)
        except ValueError:
            raise ValueError("Invalid ISO datetime") from None
        return value

    @model_validator(mode="after")
    def _is_window(self) -> Question:
        if self.start >= self.end:
            raise ValueError("fromTimestamp must be before toTimestamp")
        return self

    @property
    def start(self) -> int:
        return times.from_iso(self.fromTimestamp)

    @property
    def end(self) -> int:
        return times.from_iso(self.toTimestamp)

    @property
    def granularity(self) -> str:
        """Size of the time buckets, "" without any."""
        if self.timeDimension is None:
            return ""
        asked = self.timeDimension.granularity
        return times.granularity_for(self.start, self.end) if asked == "auto" else asked


def read_question(text: str | None, version: int) -> Question:
    """The question in the `query` parameter. Raises InvalidData or InvalidRequest, the two kinds of 400."""
    if text is None:
        raise InvalidData([_issue("invalid_type", "query", "Invalid input: expected string, received undefined")])
    try:
        raw: Any = json.loads(text)
    except ValueError:
        raise InvalidRequest("Invalid JSON in query parameter") from None
    try:
        question = Question.model_validate(raw)
    except ValidationError as error:
        raise invalid_data(error, within=("query",)) from None
    if question.view not in VIEWS[version]:
        options = "|".join(f'"{name}"' for name in VIEWS[version])
        issue = _issue("invalid_value", "query", f"Invalid option: expected one of {options}")
        raise InvalidData([{**issue, "path": ["query", "view"]}])
    return question


def _issue(code: str, path: str, message: str) -> dict[str, Any]:
    return {"code": code, "path": [path], "message": message}


def check_question(question: Question, version: int) -> None:
    """Raises InvalidRequest for what the view does not have and for groups without bound."""
    view = VIEWS[version][question.view]
    if version == 2:
        _check_cardinality(question, view)
    for group in question.dimensions:
        if group.field not in view.dimensions:
            raise InvalidRequest(f"Invalid dimension {group.field}. Must be one of {','.join(view.dimensions)}")
    for metric in question.metrics:
        _check_metric(metric, view)
    maps = {group.field for group in question.dimensions} | {view.measures[m.measure].requires for m in question.metrics}
    if len(pairs := [name for name in ("costType", "usageType") if name in maps]) > 1:
        raise InvalidRequest(f"Only one pairExpand dimension is supported per query. Found: {', '.join(pairs)}")
    for order in question.orderBy or []:
        _check_order(order, question)


def _check_metric(metric: Metric, view: View) -> None:
    measure: Measure | None = view.measures.get(metric.measure)
    if measure is None:
        raise InvalidRequest(f"Invalid metric {metric.measure}. Must be one of {','.join(view.measures)}")
    if measure.kind == STRING and metric.aggregation not in ("count", "uniq"):
        raise InvalidRequest(
            f'Aggregation "{metric.aggregation}" is not valid for measure "{metric.measure}" (type: string). '
            "Valid aggregations: count, uniq"
        )


def _check_order(order: OrderBy, question: Question) -> None:
    known = {group.field for group in question.dimensions}
    known |= {metric.key for metric in question.metrics if metric.aggregation != "histogram"}
    if question.timeDimension:
        known.add("time_dimension")
    if order.field not in known:
        raise InvalidRequest(f"Invalid orderBy field: {order.field}. Must be one of the dimension or metric fields.")


def _check_cardinality(question: Question, view: View) -> None:
    """Groups by ids are answered only as a top list: no time buckets, a row limit, and descending order of a measure."""
    fields = [group.field for group in question.dimensions]
    high = [name for name in fields if name in view.dimensions and view.dimensions[name].high_cardinality]
    if not high:
        return
    names = f"High cardinality dimension(s) '{', '.join(high)}'"
    if question.timeDimension:
        raise InvalidRequest(
            f"{names} cannot be used with timeDimension. "
            "Time series queries with high cardinality dimensions produce unbounded result sets."
        )
    falling = [order.field for order in question.orderBy or [] if order.direction == "desc"]
    if not question.config.row_limit or not falling:
        raise InvalidRequest(f"{names} require both 'config.row_limit' and 'orderBy' with direction 'desc' on a measure field.")
    measures = "|".join(re.escape(metric.measure) for metric in question.metrics)
    if strangers := [name for name in falling if not re.fullmatch(f"(.*_)?({measures})", name)]:
        raise InvalidRequest(
            f"{names} require 'orderBy' with direction 'desc' on a measure field. "
            f"'{', '.join(strangers)}' {'is' if len(strangers) == 1 else 'are'} not a measure in this query."
        )
