"""Records series of the contract from those that a site has under other names.

A total stays a total: series are merged within one process only (`job`, `instance`), whose counters start anew together, so
that rates over the recorded series see every restart. The rules are evaluated at every scrape.
"""

from __future__ import annotations

from itertools import groupby

from contract.buckets import bound_spelling
from contract.catalogue import metric
from contract.generations import Fixed, Origin, Relabel
from contract.naming import Choice
from contract.settings import Settings
from recording_rules.model import Formula, Group


def groups(settings: Settings) -> tuple[Group, ...]:
    """One group for each generation that the site has chosen metrics from."""
    interval = settings.sources.prometheus.scrape_interval
    chosen = sorted(settings.naming.choices, key=_generation)
    return tuple(
        Group(
            f"naming_{name.replace('-', '_')}", interval, tuple(rule for choice in some for rule in _rules(choice.origin)), -1
        )
        for name, some in groupby(chosen, _generation)
    )


def _generation(choice: Choice) -> str:
    return choice.generation


def _rules(origin: Origin) -> list[Formula]:
    declared = metric(origin.canonical)
    rules = []
    for series, sources in origin.series:
        carried = (*declared.target_labels, *declared.labels, *(["le"] if series.endswith("_bucket") else []))
        made = " or ".join(_merged(source, fixed, origin, carried) for source, fixed in sources)
        scaled = origin.scale != 1 and not series.endswith(("_bucket", "_count"))
        rules.append(Formula(series, f"{origin.scale:g} * {made}" if scaled else made, carried))
    return rules


def _merged(source: str, fixed: Fixed, origin: Origin, carried: tuple[str, ...]) -> str:
    inner = f'{source}{{{origin.but[0]}!~"{origin.but[1]}"}}' if origin.but else source
    for relabel in origin.labels:
        inner = _relabelled(inner, relabel)
    for label, value in fixed:
        inner = f'label_replace({inner}, "{label}", "{value}", "", "")'
    if "le" in carried:
        inner = _rescaled(inner, origin)
    return f"sum by ({', '.join(carried)}) ({inner})"


def _relabelled(inner: str, relabel: Relabel) -> str:
    for pattern, word in relabel.words or (("(.+)", "$1"),):
        inner = f'label_replace({inner}, "{relabel.label}", "{word}", "{relabel.source}", "{pattern}")'
    return inner


def _rescaled(inner: str, origin: Origin) -> str:
    """Bounds in units of the contract. From the least on: a bound that was written anew is below all that are still sought."""
    for bound in origin.bounds:
        operator, spelling = bound_spelling(bound)
        pattern = spelling if operator == "=~" else spelling.replace(".", "[.]")
        inner = f'label_replace({inner}, "le", "{bound * origin.scale:g}", "le", "{pattern}")'
    return inner
