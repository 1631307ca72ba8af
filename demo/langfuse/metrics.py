"""Answers of the metrics interface: the SQL of a question, its rows, the filled gaps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from demo.langfuse import times
from demo.langfuse.errors import InvalidRequest
from demo.langfuse.filters import METADATA, TIME, Values, condition
from demo.langfuse.question import DEFAULT_ROW_LIMIT, Metric, Question, check_question
from demo.langfuse.store import Store
from demo.langfuse.views import BOOLEAN, DECIMAL, INTEGER, STRINGS, VIEWS, Dimension, Measure, View

Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A question resolved against its view."""

    question: Question
    version: int
    view: View
    dimensions: dict[str, Dimension]
    metrics: tuple[Metric, ...]

    @property
    def two_levels(self) -> bool:
        """Whether rows are grouped by id first: where a join may repeat them."""
        return any(not self.measure(metric).row for metric in self.metrics)

    @property
    def fills_gaps(self) -> bool:
        return bool(self.question.granularity) and not self.question.orderBy

    @property
    def row_limit(self) -> int | None:
        return self.question.config.row_limit or (DEFAULT_ROW_LIMIT if self.version == 2 else None)

    def measure(self, metric: Metric) -> Measure:
        return self.view.measures[metric.measure]


def answer(store: Store, question: Question, version: int, readable: int, numbers_as_strings: bool = False) -> list[Row]:
    """Rows of an answer. `readable` is the end (microseconds) of the latest work that can be read already.

    `numbers_as_strings` writes 64-bit integers as text, as ClickHouse before 25.8 does. Raises InvalidRequest.
    """
    plan = _plan(question, version)
    values = Values()
    found = store.select(_statement(plan, readable, values), values)
    rows = [_row(plan, list(record), numbers_as_strings) for record in found]
    if plan.fills_gaps:
        rows = _filled(plan, rows, numbers_as_strings)
    return rows[: plan.row_limit]


def _plan(question: Question, version: int) -> Plan:
    check_question(question, version)
    view = VIEWS[version][question.view]
    fields = [group.field for group in question.dimensions]
    fields += [view.measures[metric.measure].requires for metric in question.metrics]
    dimensions = {name: view.dimensions[name] for name in fields if name}
    return Plan(question, version, view, dimensions, tuple({metric.key: metric for metric in question.metrics}.values()))


def _statement(plan: Plan, readable: int, values: Values) -> str:
    source = _source(plan, readable, values)
    groups = {name: dimension.sql for name, dimension in plan.dimensions.items()}
    if plan.question.granularity:
        groups["time_dimension"] = times.bucket_sql("e.started", plan.question.granularity)
    if plan.two_levels:
        inner = [f'min({sql}) AS "{name}"' for name, sql in groups.items()]
        inner += [f'{m.entity} AS "m{i}"' for i, m in enumerate(map(plan.measure, plan.metrics))]
        keys = ", ".join(["e.id", *(groups[name] for name, d in plan.dimensions.items() if d.expand)])
        source = f"FROM (SELECT {', '.join(inner)} {source} GROUP BY {keys})"
        groups = {name: f'"{name}"' for name in groups}
    columns = [f'{sql} AS "{name}"' for name, sql in groups.items()]
    for i, metric in enumerate(plan.metrics):
        sql = f'"m{i}"' if plan.two_levels else plan.measure(metric).row
        columns.append(f'{_aggregate(metric, plan, sql)} AS "{metric.key}"')
    if not plan.metrics:
        columns.append('count(*) AS "count"')
    by = ", ".join(str(i + 1) for i in range(len(groups)))
    group = f" GROUP BY {by} ORDER BY {', '.join(_order(plan))}, {by}" if groups else ""
    limit = f" LIMIT {plan.row_limit}" if groups and plan.row_limit and not plan.fills_gaps else ""
    return f"SELECT {', '.join(columns)} {source}{group}{limit}"


def _source(plan: Plan, readable: int, values: Values) -> str:
    """FROM and WHERE: the view's rows in the window, and those of every joined table in the same window."""
    question, view = plan.question, plan.view
    # Both ends belong to the window. Version 1 stores milliseconds, so its last one counts whole.
    window = f"BETWEEN {values.add(question.start)} AND {values.add(question.end + (999 if plan.version == 1 else 0))}"
    visible = f"<= {values.add(readable)}"
    where = [f"e.started {window}", f"e.ready {visible}", *([view.where] if view.where else [])]
    relations = [dimension.relation for dimension in plan.dimensions.values()]
    relations += [plan.measure(metric).relation for metric in plan.metrics]
    for filter_ in question.filters:
        sql, kind, relation = _filtered(view, filter_.column)
        where.append(condition(filter_, sql, kind, values, empty_is_null=plan.version == 2))
        relations.append(relation)
    tables = [f"{view.table} e"]
    for alias in sorted({alias for alias in relations if alias}):
        tables.append(f"{view.relations[alias].table} {alias}")
        where += [view.relations[alias].on, f"{alias}.started {window}", f"{alias}.ready {visible}"]
    tables += [f"json_each({dimension.expand}) {name}" for name, dimension in plan.dimensions.items() if dimension.expand]
    return f"FROM {' JOIN '.join(tables)} WHERE {' AND '.join(where)}"


def _filtered(view: View, column: str) -> tuple[str, str, str]:
    """SQL, kind and relation of a column that a filter names; any other `…Name` stands for the name, as on the server."""
    dimension = view.dimensions.get(column)
    if dimension is None and column.endswith("Name"):
        dimension = view.dimensions.get("name")
    if dimension and not dimension.expand:
        return dimension.sql, dimension.kind, dimension.relation
    if column == view.time:
        return "e.started", TIME, ""
    if column == "metadata":
        return "NULL", METADATA, ""
    raise InvalidRequest(f"Invalid filter column {column}. Must be one of {','.join(view.dimensions)} or {view.time}")


def _aggregate(metric: Metric, plan: Plan, sql: str) -> str:
    how, nullable = metric.aggregation, plan.measure(metric).nullable
    if how == "count":
        return f"count({sql})"
    if how == "uniq":
        return f"count(DISTINCT {sql})"
    if how == "histogram":
        return f"histogram({sql} * 1.0 / {plan.measure(metric).scale}, {plan.question.config.bins})"
    if how.startswith("p"):
        return f"quantile({sql}, 0.{how[1:]})"
    aggregated = f"{how}({sql})"
    return aggregated if nullable or how == "avg" else f"coalesce({aggregated}, 0)"


def _order(plan: Plan) -> list[str]:
    """Without an order of its own: by time, else by the first metric, largest first. Nulls come last either way."""
    if plan.question.orderBy:
        return [f'"{order.field}" {order.direction} NULLS LAST' for order in plan.question.orderBy]
    if plan.question.granularity:
        return ['"time_dimension"']
    return [f'"{plan.metrics[0].key if plan.metrics else "count"}" DESC NULLS LAST']


def _row(plan: Plan, record: Sequence[Any], as_strings: bool) -> Row:
    names = [*plan.dimensions, *(["time_dimension"] if plan.question.granularity else [])]
    row: Row = {}
    for name, value in zip(names, record, strict=False):
        if name == "time_dimension":
            row[name] = times.bucket_text(value, plan.question.granularity)
        else:
            row[name] = _dimension_value(plan.dimensions[name], value)
    for metric, value in zip(plan.metrics, record[len(names) :], strict=False):
        row[metric.key] = _metric_value(metric, plan.measure(metric), value, as_strings)
    if not plan.metrics:
        row["count"] = str(record[-1]) if as_strings else record[-1]
    return row


def _dimension_value(dimension: Dimension, value: Any) -> Any:
    if value is None:
        return dimension.empty if dimension.kind == STRINGS else None
    if dimension.kind == STRINGS:
        return json.loads(value)
    return bool(value) if dimension.kind == BOOLEAN else value


def _metric_value(metric: Metric, measure: Measure, value: Any, as_strings: bool) -> Any:
    if metric.aggregation == "histogram":
        return json.loads(value) if value else []
    if value is None:
        return None
    counts = metric.aggregation in ("count", "uniq")
    if counts or (measure.kind == INTEGER and metric.aggregation in ("sum", "min", "max")):
        return str(value) if as_strings else value
    number = value / measure.scale if measure.kind == DECIMAL else value
    return int(number) if float(number).is_integer() else number


def _filled(plan: Plan, rows: list[Row], as_strings: bool) -> list[Row]:
    """One row for every bucket without any. It looks like a group of missing values with nothing in it."""
    granularity = plan.question.granularity
    blank: Row = {name: dimension.empty for name, dimension in plan.dimensions.items()}
    blank["time_dimension"] = ""
    for metric in plan.metrics:
        measure = plan.measure(metric)
        unknown = metric.aggregation == "histogram" or (measure.nullable and metric.aggregation not in ("count", "uniq"))
        blank[metric.key] = _metric_value(metric, measure, None if unknown else 0, as_strings)
    if not plan.metrics:
        blank["count"] = "0" if as_strings else 0
    filled = {row["time_dimension"] for row in rows}
    buckets = [
        times.bucket_text(start, granularity) for start in times.buckets(plan.question.start, plan.question.end, granularity)
    ]
    rows = [*rows, *({**blank, "time_dimension": bucket} for bucket in buckets if bucket not in filled)]
    return sorted(rows, key=lambda row: str(row["time_dimension"]))
