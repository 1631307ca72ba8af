"""`observatory doctor --suggest`: under which names the platform's metrics come, found in a live Prometheus."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import yaml

from contract.catalogue import of_source
from contract.generations import GENERATIONS, Origin
from contract.metrics import Metric, Source
from contract.naming import Naming, origins_of, source_series
from contract.settings import Settings
from provisioning.doctor.prometheus import Prometheus
from provisioning.doctor.readers import readers
from provisioning.interpolation import Span

LOOKED_BACK = 3600.0
"""Seconds: a name that had no sample for that long is gone."""

State = Literal["contract", "elsewhere", "missing"]
_OLD_LABELS = {"gen_ai_system": "gen_ai_provider_name"}
"""Labels of metrics that kept their name when the label was renamed. A rule cannot mend these: it would count twice."""


@dataclass(frozen=True)
class Found:
    """What Prometheus has of one metric. `generations` are those whose names exist, the suggested one first."""

    metric: str
    state: State
    generations: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """All of the platform's metrics, and what else is in the way of reading them."""

    url: str
    names: int
    found: tuple[Found, ...]
    warnings: tuple[str, ...]
    configured: Naming

    def of_state(self, state: State) -> list[Found]:
        return [found for found in self.found if found.state == state]

    @cached_property
    def chosen(self) -> dict[str, str]:
        """The generation of every metric that comes under another name."""
        return {found.metric: found.generations[0] for found in self.of_state("elsewhere")}

    @cached_property
    def naming(self) -> dict[str, Any]:
        """What `naming:` has to say: whole generations where nothing speaks against them, single metrics otherwise."""
        chosen = self.chosen
        free = {*chosen, *(found.metric for found in self.of_state("missing"))}
        whole: list[str] = []
        given: set[str] = set()
        for generation in GENERATIONS:
            offered = {origin.canonical for origin in generation.origins}
            taken = {name for name in offered if chosen.get(name) == generation.name}
            if taken and offered <= free and not (offered - taken) & chosen.keys() and not offered & given:
                whole.append(generation.name)
                given |= offered
        single = {name: generation for name, generation in sorted(chosen.items()) if name not in given}
        return {key: value for key, value in (("generations", whole), ("metrics", single)) if value}

    @property
    def changes(self) -> bool:
        """Whether the configuration says something else of a metric that is there."""
        missing = {found.metric for found in self.of_state("missing")}
        said = {choice.origin.canonical: choice.generation for choice in self.configured.choices}
        return {name: generation for name, generation in said.items() if name not in missing} != self.chosen

    def as_text(self) -> str:
        asis, elsewhere, missing = (self.of_state(state) for state in ("contract", "elsewhere", "missing"))
        lines = [f"Prometheus at {self.url}: {self.names} names in the last hour"]
        lines.append(f"{len(asis)} of the platform's metrics have the contract's names")
        lines += [f"{len(elsewhere)} come under other names:"] if elsewhere else []
        for found in elsewhere:
            others = f"; also {', '.join(found.generations[1:])}" if found.generations[1:] else ""
            lines.append(f"  {found.metric}: {found.generations[0]} ({', '.join(found.sources)}){others}")
        lines += [f"{len(missing)} have no data under any name that is known:"] if missing else []
        lines += [f"  {found.metric}: {_hit(found.readers)}" for found in missing]
        lines += [f"warning: {text}" for text in self.warnings]
        if not self.changes:
            return "\n".join([*lines, "The configuration's `naming` is right as it is."])
        text = yaml.safe_dump({"naming": self.naming or {"generations": []}}, sort_keys=False)
        return "\n".join([*lines, "", "Write this into observatory.yaml in the place of its `naming`:", "", text]).rstrip()

    def as_json(self, config: str | None) -> str:
        document = {
            "config": config,
            "url": self.url,
            "metrics": [asdict(found) for found in self.found],
            "warnings": self.warnings,
            "naming": self.naming,
            "changes": self.changes,
        }
        return json.dumps(document, indent=2, ensure_ascii=False)


def _hit(who: tuple[str, ...]) -> str:
    return f"without data: {', '.join(who)}" if who else "nothing reads it"


def suggest(settings: Settings, now: float | None = None) -> Suggestion:
    """Ask the configured Prometheus for its names. `now` is in seconds since the epoch.

    Raises Unreachable when it does not answer, QueryError when it refuses.
    """
    at = time.time() if now is None else now
    prometheus, span = Prometheus(settings.sources.prometheus.url), Span(at - LOOKED_BACK, at, 60)
    names = frozenset(prometheus.label_values("__name__", "", span))
    who = readers(settings)
    recorded = {choice.origin.canonical: choice.generation for choice in settings.naming.choices}
    found = tuple(_looked_for(metric, names, recorded, who) for metric in of_source(Source.PLATFORM))
    warnings = (*_untranslated(names), *_labels(found, prometheus, span))
    return Suggestion(settings.sources.prometheus.url, len(names), found, warnings, settings.naming)


def _looked_for(
    metric: Metric, names: frozenset[str], recorded: Mapping[str, str], who: Mapping[str, tuple[str, ...]]
) -> Found:
    """A metric that our own rules record is there because of them: it counts as found under the name that they read."""
    origins = sorted(origins_of(metric.name).items(), key=lambda known: known[0] != recorded.get(metric.name))
    there = {name: sources for name, origin in origins if (sources := _there(origin, names))}
    read = who.get(metric.name, ())
    if names & set(metric.series_names) and not (metric.name in recorded and there):
        return Found(metric.name, "contract", (), metric.series_names[-1:], read)
    if there:
        return Found(metric.name, "elsewhere", tuple(there), next(iter(there.values())), read)
    return Found(metric.name, "missing", (), (), read)


def _there(origin: Origin, names: frozenset[str]) -> tuple[str, ...]:
    """The series that the last series of a metric would be made of, as far as they exist."""
    return tuple(source for source, _ in origin.series[-1][1] if source in names)


def _untranslated(names: frozenset[str]) -> list[str]:
    """OpenTelemetry's names as they are, with dots, or without units and types at their end."""
    known = {*source_series(), *(name for metric in of_source(Source.PLATFORM) for name in metric.series_names)}
    bare = {_bare(name) for name in known}
    dotted = sorted(name for name in names if "." in name and (_escaped(name) in known or _bare(_escaped(name)) in bare))
    plain = sorted(name for name in names - known if "." not in name and name.startswith("gen_ai_") and _bare(name) in bare)
    wanted = "otlp: {translation_strategy: UnderscoreEscapingWithSuffixes}"
    said = []
    if dotted:
        said.append(
            f"{len(dotted)} names stand as OpenTelemetry writes them ({_some(dotted)}), and rules read escaped ones: "
            f"set `{wanted}` in prometheus.yml, or `metric_name_escaping_scheme: underscores` where they are scraped"
        )
    if plain:
        said.append(f"{len(plain)} names lack their unit or type ({_some(plain)}): set `{wanted}` in prometheus.yml")
    return said


def _escaped(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_:]", "_", name)


def _bare(name: str) -> str:
    """A name without its unit and the suffix of its type, by which the same metric is found under other translations."""
    part = re.search(r"_(bucket|sum|count)$", name)
    stem = name.removesuffix(part[0]) if part else name
    stem = re.sub(r"_total$", "", stem)
    return re.sub(r"_(seconds|milliseconds)$", "", stem) + (part[0] if part else "")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _labels(found: tuple[Found, ...], prometheus: Prometheus, span: Span) -> list[str]:
    """Labels that panels filter by and that are missing or called otherwise."""
    said = []
    there = "|".join(sorted({source for one in found for source in one.sources}))
    if there and (lacking := prometheus.label_values("__name__", f'{{__name__=~"{there}",environment=""}}', span)):
        said.append(
            f"{_some(sorted(lacking))}: without a label `environment`, by which every panel filters; "
            "give it to the scrape targets, or promote the resource attribute that says it"
        )
    for old, new in _OLD_LABELS.items():
        contracts = "|".join(source for one in found for source in one.sources if one.state == "contract")
        if contracts and prometheus.label_values("__name__", f'{{__name__=~"{contracts}",{old}!="",{new}=""}}', span):
            said.append(
                f"label {old} is called {new} today: add to the scrape job `metric_relabel_configs: "
                f"[{{source_labels: [{old}], regex: (.+), target_label: {new}}}]`"
            )
    return said
