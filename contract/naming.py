"""Other names under which the metrics of the contract may come, and the choice of a site among them.

A generation is one set of names: what an instrumentation, or a version of the OpenTelemetry conventions, calls its metrics.
The names stand as Prometheus escapes them by default. `recording_rules.adapters` records the contract's series from those of
the chosen generations, so that nothing else needs to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import Field, ValidationInfo, field_validator

from contract.catalogue import catalogue, metric
from contract.generations import GENERATIONS, Generation, Origin
from contract.metrics import Metric
from contract.values import Section

CONTRACT = "contract"
"""Stands for the contract's own name in the place of a generation."""

BY_NAME: Mapping[str, Generation] = {generation.name: generation for generation in GENERATIONS}


@dataclass(frozen=True)
class Choice:
    """That a metric of the contract comes from the names of a generation."""

    origin: Origin
    generation: str


def origins_of(name: str) -> dict[str, Origin]:
    """Where a metric of the contract may come from, by generation."""
    found = ((generation.name, origin) for generation in GENERATIONS for origin in generation.origins)
    return {generation: origin for generation, origin in found if origin.canonical == name}


def source_series() -> dict[str, Metric]:
    """Every series that a metric of the contract may be made of, and that metric."""
    return {
        source: metric(origin.canonical)
        for generation in GENERATIONS
        for origin in generation.origins
        for _, sources in origin.series
        for source, _ in sources
    }


class Naming(Section):
    """Which names the platform's metrics come under. Metrics that nothing is said of have the names of the contract.

    `generations` are taken whole. `metrics` says it for single ones: a generation, or `contract`; it overrides `generations`.
    """

    generations: tuple[str, ...] = ()
    metrics: dict[str, str] = Field(default_factory=dict)

    @field_validator("generations")
    @classmethod
    def _are_known(cls, generations: tuple[str, ...]) -> tuple[str, ...]:
        for name in generations:
            if name not in BY_NAME:
                raise ValueError(f"there is no generation of names {name!r}{_like(name, BY_NAME)}")
        return generations

    @field_validator("metrics")
    @classmethod
    def _can_be_had(cls, metrics: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        for name, generation in metrics.items():
            if name not in catalogue():
                raise ValueError(f"the contract has no metric {name!r}{_like(name, catalogue())}")
            known = {CONTRACT: None, **origins_of(name)}
            if generation not in known:
                raise ValueError(f"{name} does not come from {generation!r}, only from {', '.join(known)}")
        offered: dict[str, str] = {}
        for generation in info.data.get("generations", ()):
            for origin in BY_NAME[generation].origins:
                first = offered.setdefault(origin.canonical, generation)
                if first != generation and origin.canonical not in metrics:
                    raise ValueError(
                        f"{origin.canonical} comes from {first} and from {generation}; say here which one is right"
                    )
        return metrics

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The metrics that come under other names, by their name in the contract."""
        taken = {origin.canonical: name for name in self.generations for origin in BY_NAME[name].origins} | self.metrics
        return tuple(
            Choice(origins_of(name)[generation], generation)
            for name, generation in sorted(taken.items())
            if generation != CONTRACT
        )


def _like(name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}" if len(known) < 20 else ""
