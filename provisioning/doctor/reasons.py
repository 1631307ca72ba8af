"""Why a query came back empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser as promql

from contract.catalogue import series_catalogue
from contract.metrics import Source
from provisioning.check.relations import relation_names
from provisioning.check.series import selected_name
from provisioning.doctor.postgres import Postgres
from provisioning.doctor.prometheus import Prometheus
from provisioning.interpolation import Span

NO_TRAFFIC = "no traffic in the range, though all that it reads is there"
NO_ALERT = "no alert is firing"
_JOBS = {Source.PLATFORM: "platform", Source.FOREIGN: ""}


@dataclass(frozen=True)
class Reason:
    """Why a query is empty. `missing`: something that it reads does not exist at all, so that it can never give anything."""

    text: str
    missing: bool = False


def of_promql(expression: str, prometheus: Prometheus, span: Span, retention: float) -> Reason:
    """The first thing that is wrong with what an expression reads, or that nothing happened in the range.

    `retention` is in seconds: a series that was never seen in that time has never been seen.
    """
    ever = Span(span.end - retention, span.end, span.step)
    for selector in _selectors(promql.parse(expression)):
        if reason := _of_selector(selector, prometheus, span, ever):
            return reason
    return Reason(NO_TRAFFIC)


def _of_selector(selector: promql.VectorSelector, prometheus: Prometheus, span: Span, ever: Span) -> Reason | None:
    name = selected_name(selector)
    if not name:
        return None
    if name in ("ALERTS", "ALERTS_FOR_STATE"):
        return Reason(NO_ALERT)
    matchers = [str(matcher) for matcher in selector.matchers.matchers if matcher.name != "__name__"]
    if prometheus.exists(f"{name}{{{','.join(matchers)}}}", span):
        return None
    if down := _source_down(name, prometheus, span):
        return Reason(down, missing=True)
    if not prometheus.exists(name, ever):
        scraped = name in series_catalogue()
        return Reason(f"metric {name} was never seen" if scraped else f"rule {name} has not recorded anything", missing=True)
    if not prometheus.exists(name, span):
        return Reason(f"metric {name} has no samples in the range", missing=True)
    for matcher in matchers:
        if not prometheus.exists(f"{name}{{{matcher}}}", span):
            return Reason(f"label filter {matcher} matches no series of {name}")
    return Reason(f"label filters of {name} match nothing together")


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


def of_sql(query: str, postgres: Postgres) -> Reason:
    """Which relation is empty, or that nothing in the range and under the filters is there. Raises SqlError."""
    for name in relation_names(query):
        schema, _, table = name.partition(".")
        if table and not postgres.has_rows(schema, table):
            return Reason(f"{name} has no rows")
    return Reason("no rows in the range and under the filters")
