"""Puts one query to its source, as Grafana would, and says what came back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.boards import Query, variable_expression
from provisioning.check.known import known_series
from provisioning.choices import Choice, written
from provisioning.doctor import reasons, sources
from provisioning.doctor.answers import Answer, SourceHealth
from provisioning.doctor.postgres import Postgres, SqlError
from provisioning.doctor.prometheus import Prometheus, QueryError
from provisioning.doctor.reasons import Inputs, Reason
from provisioning.findings import Unreachable
from provisioning.interpolation import Span, builtins, sql_macros, substitute

Choices = Mapping[str, Choice]


@dataclass(frozen=True)
class Asker:
    """The live sources of one configuration. `down` names those that do not answer: they are not asked again.

    `exporters` is the database as the exporter reaches it, where that is another way than the panels' (`postgres`), and
    `administration` as the panels of the folder Administration do, where they have a login of their own.
    """

    settings: Settings
    prometheus: Prometheus
    postgres: Postgres
    inputs: Inputs
    exporters: Postgres | None = None
    administration: Postgres | None = None
    down: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> Asker:
        from recording_rules import registry

        prometheus = Prometheus(settings.sources.prometheus.url)
        retention = duration_seconds(settings.sources.prometheus.retention)
        inputs = Inputs(prometheus, known_series(registry.rule_groups(settings)), retention)
        postgres, exporters = sources.postgres_of(settings)
        return cls(settings, prometheus, postgres, inputs, exporters, sources.administration_of(settings))

    @contextmanager
    def keeping(self) -> Iterator[Asker]:
        """The same, with connections to the database that are kept while the context lasts."""
        with ExitStack() as held:

            def kept(way: Postgres) -> Postgres:
                return held.enter_context(way.keeping())

            yield replace(
                self,
                postgres=kept(self.postgres),
                exporters=self.exporters and kept(self.exporters),
                administration=self.administration and kept(self.administration),
            )

    def health_checks(self) -> list[Callable[[], SourceHealth]]:
        ways = [way for way in (self.postgres, self.administration, self.exporters) if way]
        return [
            lambda: sources.prometheus_health(self.prometheus),
            *(partial(sources.postgres_health, way) for way in ways),
            lambda: sources.alertmanager_health(self.settings),
            lambda: sources.langfuse_health(self.settings),
        ]

    def knowing(self, health: Iterable[SourceHealth]) -> Asker:
        """The same, without asking what does not answer."""
        return replace(self, down=frozenset(source.name for source in health if source.reachable is False))

    def answer(self, query: Query, span: Span, choices: Choices) -> Answer:
        """What a query gives over a range. Never raises for what a source says."""
        source = self._source(query)
        if not source:
            return Answer(query.place, "error", "its data source is neither Prometheus nor PostgreSQL")
        if source in self.down:
            return Answer(query.place, "unasked", f"{source} cannot be reached")
        began = time.monotonic()
        text = query.text
        try:
            text = self.filled(query, span, choices)
            rows = self.rows(query, text, span)
            took = _since(began)
            reason = Reason("") if rows else self._why(query, text, span)
        except Unreachable as problem:
            return Answer(query.place, "unasked", str(problem))
        except (QueryError, SqlError, ValueError) as problem:
            return Answer(query.place, "error", str(problem), milliseconds=_since(began))
        return Answer(query.place, "data" if rows else "empty", reason.text, rows, took, reason.missing)

    def values(self, query: Query, span: Span, choices: Choices) -> list[str]:
        """The values that a variable's query offers. Nothing when its source does not answer or refuses."""
        if self._source(query) in self.down:
            return []
        try:
            text = self.filled(query, span, choices)
            if query.language == "sql":
                return sorted(self._database(query).first_column(text))
            expression, label = variable_expression(text)
            return self.prometheus.label_values(label, expression, span) if label else []
        except (Unreachable, QueryError, SqlError, ValueError):
            return []  # said where the variable itself is looked at

    def _source(self, query: Query) -> str:
        return {"promql": "Prometheus", "sql": self._database(query).name}.get(query.language, "")

    def _database(self, query: Query) -> Postgres:
        own = self.administration
        return own if own and query.source == self.settings.sources.postgres.uid_of("Administration") else self.postgres

    def filled(self, query: Query, span: Span, choices: Choices) -> str:
        """The text that Grafana would send."""
        own = builtins(span, duration_seconds(self.settings.sources.prometheus.scrape_interval))

        def value(name: str, form: str) -> str | None:
            if name in choices:
                return written(choices[name], form, query.language)
            return own.get(name)

        text = substitute(query.text, value)
        return sql_macros(text, span) if query.language == "sql" else text

    def rows(self, query: Query, text: str, span: Span) -> int:
        """How many series or rows a filled query gives. Raises Unreachable, QueryError, SqlError."""
        if query.language == "sql":
            return self._database(query).rows(text)
        expression, label = variable_expression(text)
        if label:
            return len(self.prometheus.label_values(label, expression, span))
        if query.instant:
            return len(self.prometheus.instant(expression, span.end))
        return len(self.prometheus.range(expression, span))

    def _why(self, query: Query, text: str, span: Span) -> Reason:
        if query.language == "sql":
            return reasons.of_sql(text, self._database(query))
        expression, _ = variable_expression(text)
        return self.inputs.why_empty(expression or "up", span)


def _since(began: float) -> int:
    return round(1000 * (time.monotonic() - began))
