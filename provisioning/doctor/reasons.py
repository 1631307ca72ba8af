"""Why a query came back empty: because nothing happened, or because something that it reads is not there.

What a query reads is followed through recorded series down to the metrics that are scraped, so "nothing happened" is said only
where everything that would have told of it is alive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser as promql

from contract.analytics import ANALYTICS_SCHEMA
from contract.metrics import Metric, Source
from provisioning.check.relations import relation_names
from provisioning.check.series import Known, Series, selected_name
from provisioning.check.tree import every
from provisioning.doctor.postgres import Postgres
from provisioning.doctor.prometheus import Prometheus
from provisioning.interpolation import Span

_ALIVE = "though all that it reads is there"
NO_TRAFFIC = f"no traffic in the range, {_ALIVE}"
NO_ALERT = "no alert is firing"
_JOBS = {Source.PLATFORM: "platform", Source.FOREIGN: ""}
_OF_LANGFUSE = "langfuse|cost"
_COLLECTORS = {Source.POSTGRES: f'source!~"{_OF_LANGFUSE}"', Source.LANGFUSE: f'source=~"{_OF_LANGFUSE}"'}
"""Which of the exporter's sources a metric comes from."""


@dataclass(frozen=True)
class Reason:
    """Why a query is empty. `missing`: something that it reads does not exist, so it could not tell if anything happened."""

    text: str
    missing: bool = False


@dataclass(frozen=True)
class Inputs:
    """What can be asked about what queries read. `retention` is in seconds: what was not seen in that time was never seen."""

    prometheus: Prometheus
    known: Known
    retention: float

    def why_empty(self, expression: str, span: Span) -> Reason:
        """The first thing that is wrong with what an expression reads, or that nothing happened in the range."""
        return next(self._of(promql.parse(expression), span), Reason(NO_TRAFFIC))

    def _of(self, node: promql.Expr, span: Span) -> Iterator[Reason]:
        """What is to be said of the selectors of an expression that match nothing, the worst first."""
        selectors = {str(part): part for part in every(node) if isinstance(part, promql.VectorSelector)}
        found = [reason for selector in selectors.values() if (reason := self._of_selector(selector, span))]
        return iter(sorted(found, key=lambda reason: not reason.missing))

    def _of_selector(self, selector: promql.VectorSelector, span: Span) -> Reason | None:
        name = selected_name(selector)
        if not name:
            return None
        if name in ("ALERTS", "ALERTS_FOR_STATE"):
            loaded = self.prometheus.loaded_alerts
            return Reason(NO_ALERT) if loaded else Reason("no alert is loaded in Prometheus", missing=True)
        matchers = [str(matcher) for matcher in selector.matchers.matchers if matcher.name != "__name__"]
        if self.prometheus.exists(f"{name}{{{','.join(matchers)}}}", span):
            return None
        if not self.prometheus.exists(name, span):
            return self._of_series(name, self.known.get(name), span)
        for matcher in matchers:
            if not self.prometheus.exists(f"{name}{{{matcher}}}", span):
                return Reason(f"label filter {matcher} matches no series of {name}")
        return Reason(f"label filters of {name} match nothing together")

    def _of_series(self, name: str, series: Series | None, span: Span) -> Reason:
        """Why no series of a name is there."""
        if series and series.recorded:
            return self._of_rule(name, series, span)
        metric = series.metric if series else None
        if metric and (down := self._source_down(metric, span)):
            return Reason(down, missing=True)
        ever = Span(span.end - self.retention, span.end, span.step)
        if seen := self.prometheus.exists(name, ever):
            text = f"metric {name} has no samples in the range"
        else:
            text = f"metric {name} was never seen"
        if metric and metric.absent and not (seen and metric.source is Source.FOREIGN):
            return Reason(f"{text}: {metric.absent}")
        return Reason(text, missing=True)

    def _of_rule(self, name: str, series: Series, span: Span) -> Reason:
        """Why a rule recorded nothing: it is not evaluated, cannot be, or had nothing to record."""
        fault = self.prometheus.loaded_rules.get(name, "is not loaded in Prometheus")
        if fault:
            return Reason(f"rule {name} {fault}", missing=True)
        reasons = [next(self._of(node, span), Reason(NO_TRAFFIC)) for node in series.made]
        text = f"rule {name} had nothing to record"
        if reasons and all(reason.missing for reason in reasons):
            return Reason(f"{text}: {reasons[0].text}", missing=True)
        absent = next((reason.text for reason in reasons if not reason.missing and not reason.text.endswith(_ALIVE)), "")
        return Reason(f"{text}: {absent}" if absent else f"{text}, {_ALIVE}")

    def _source_down(self, metric: Metric, span: Span) -> str:
        """Whether the job that exposes a metric is missing or down; of one that may be absent also what the exporter reads."""
        job = _JOBS.get(metric.source, "exporter")
        if not job:
            return ""
        up = self.prometheus.instant(f'max(up{{job="{job}"}})', span.end)
        if not up:
            return f"source down: Prometheus scrapes no job {job}"
        if float(up[0]["value"][1]) == 0:
            return f"source down: no target of job {job} answers"
        if metric.absent and (collectors := _COLLECTORS.get(metric.source)):
            lost = self.prometheus.instant(f"max by (source) (exporter_source_up{{{collectors}}}) == 0", span.end)
            if lost:
                return f"source down: the exporter does not reach {lost[0]['metric']['source']}"
        return ""


def of_sql(query: str, postgres: Postgres) -> Reason:
    """Which relation is empty, or that nothing in the range and under the filters is there. Raises SqlError.

    A table of the platform without any row tells nothing of what happens there; one of ours may wait for its first row.
    """
    for name in relation_names(query):
        schema, _, table = name.partition(".")
        if table and not postgres.has_rows(schema, table):
            return Reason(f"{name} has no rows", missing=schema != ANALYTICS_SCHEMA)
    return Reason("no rows in the range and under the filters")
