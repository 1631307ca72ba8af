"""PromQL against the contract, without a server."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any

import promql_parser as promql

from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.check.lint.catalogue import EXPRESSION_CHECKS, REMOVED_FUNCTION, SYNTAX
from provisioning.check.lint.functions import RENAMED
from provisioning.check.lint.model import ExpressionCheck, House, Question, spots
from provisioning.check.series import Known
from provisioning.check.tree import parsed
from provisioning.findings import Finding, error


@dataclass(frozen=True)
class Inspector:
    """Reads expressions with what is known about series and about the server that will run them.

    Runbooks and panels ask a quarter of all questions again, so answers are kept.
    """

    house: House
    _answers: dict[tuple[object, ...], tuple[Finding, ...]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, settings: Settings, known: Known) -> Inspector:
        prometheus = settings.sources.prometheus
        seconds = (duration_seconds(prometheus.retention), duration_seconds(prometheus.scrape_interval))
        return cls(House(known, timedelta(seconds=seconds[0]), timedelta(seconds=seconds[1]), settings.environments))

    def findings(
        self,
        place: str,
        text: str,
        *,
        interval: timedelta | None = None,
        record: str = "",
        alert: bool = False,
        chosen: frozenset[tuple[str, str]] = frozenset(),
    ) -> list[Finding]:
        """Everything wrong with one expression, each thing once. The rest of the arguments is as `Question` has it."""
        asked = (text, interval, record, alert, chosen)
        if asked not in self._answers:
            self._answers[asked] = self._looked_at(*asked)
        return [replace(finding, place=place) for finding in self._answers[asked]]

    def _looked_at(
        self, text: str, interval: timedelta | None, record: str, alert: bool, chosen: frozenset[tuple[str, str]]
    ) -> tuple[Finding, ...]:
        """The findings without their place."""
        try:
            question = Question(parsed(text), interval, record, alert, chosen)
        except ValueError as problem:
            return (_unreadable(text, str(problem)),)
        found = (
            Finding(fault.severity, "", fault.message, fault.remedy, check.id)
            for spot in spots(question, self.house)
            for check in _checks_of(type(spot.node).__name__)
            for fault in check.find(spot)
        )
        return tuple(dict.fromkeys(found))


@cache
def _checks_of(kind: str) -> tuple[ExpressionCheck[Any], ...]:
    """The checks of one kind of node, by its name."""
    return tuple(check for check in EXPRESSION_CHECKS if issubclass(getattr(promql, kind), check.kind))


def _unreadable(text: str, problem: str) -> Finding:
    for old, new in RENAMED.items():
        if f"'{old}'" in problem:
            return error("", f"Prometheus 3 has no function {old}", f"{new}, which is experimental", REMOVED_FUNCTION)
    return error("", f"not PromQL: {problem}", text if len(text) <= 200 else f"{text[:197]}...", SYNTAX)
