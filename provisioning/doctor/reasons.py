"""Why a query came back empty."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser as promql

from contract.metrics import Source, series_catalogue
from provisioning.check.relations import relation_names
from provisioning.check.series import selected_name
from provisioning.doctor.postgres import Postgres, SqlError
from provisioning.doctor.prometheus import Prometheus, QueryError
from provisioning.interpolation import Span

NO_TRAFFIC = "all that it reads is there, and gives nothing in the range"
NO_ALERT = "no alert is firing"
_JOBS = {Source.PLATFORM: "platform", Source.FOREIGN: ""}


def of_promql(expression: str, prometheus: Prometheus, span: Span, retention: float) -> str:
    """The first thing that is wrong with what an expression reads, or that nothing happened in the range.

    `retention` is in seconds: a series that was never seen in that time has never been seen.
    """
    ever = Span(span.end - retention, span.end, span.step)
    try:
        for selector in _selectors(promql.parse(expression)):
            if reason := _of_selector(selector, prometheus, span, ever):
                return reason
    except QueryError as problem:
        return str(problem)
    return NO_TRAFFIC


def _of_selector(selector: promql.VectorSelector, prometheus: Prometheus, span: Span, ever: Span) -> str:
    name = selected_name(selector)
    if not name:
        return ""
    if name in ("ALERTS", "ALERTS_FOR_STATE"):
        return NO_ALERT
    matchers = [str(matcher) for matcher in selector.matchers.matchers if matcher.name != "__name__"]
    if prometheus.exists(f"{name}{{{','.join(matchers)}}}", span):
        return ""
    if down := _source_down(name, prometheus, span):
        return down
    if not prometheus.exists(name, ever):
        return f"metric {name} was never seen" if name in series_catalogue() else f"rule {name} has not recorded anything"
    if not prometheus.exists(name, span):
        return f"metric {name} has no samples in the range"
    for matcher in matchers:
        if not prometheus.exists(f"{name}{{{matcher}}}", span):
            return f"label filter {matcher} matches no series of {name}"
    return f"label filters of {name} match nothing together"


def _source_down(name: str, prometheus: Prometheus, span: Span) -> str:
    """Whether the job that exposes a metric is missing or down."""
    metric = series_catalogue().get(name)
    job = _JOBS.get(metric.source, "exporter") if metric else ""
    if not job:
        return ""
    up = prometheus.instant(f'max(up{{job="{job}"}})', span.end)
    if not up:
        return f"source down: Prometheus scrapes no job {job}"
    return f"source down: no target of job {job} answers" if float(up[0]["value"][1]) == 0 else ""


def _selectors(node: promql.Expr) -> Iterator[promql.VectorSelector]:
    found: list[promql.VectorSelector] = []

    def collect(inner: promql.Expr) -> None:
        if isinstance(inner, promql.VectorSelector):
            found.append(inner)
        elif isinstance(inner, promql.MatrixSelector):
            found.append(inner.vector_selector)

    promql.walk(node, collect)
    return iter({str(selector): selector for selector in found}.values())


def of_sql(query: str, postgres: Postgres) -> str:
    """Which relation is empty, or that nothing in the range and under the filters is there."""
    for name in relation_names(query):
        schema, _, table = name.partition(".")
        try:
            if table and not postgres.has_rows(schema, table):
                return f"{name} has no rows"
        except SqlError as problem:
            return str(problem)
    return "no rows in the range and under the filters"
