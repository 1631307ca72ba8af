"""The figures of windows, each declared over the facts that are counted: no ratio whose two halves are not counters as well.

What a figure means is said in `contract.definitions`; here stands which facts it is made of. A figure keeps the labels of its
metric; facts are added up over all their other labels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from contract.catalogue import metric
from exporters.business.expected import Expected
from exporters.database.sessions import Rows
from exporters.rollups.model import Fact, Source
from exporters.rollups.sources import SOURCES
from exporters.snapshot import Sample, sample
from exporters.windows import Window

FACTS: dict[str, tuple[Source, Fact]] = {fact.name: (source, fact) for source in SOURCES.values() for fact in source.facts}

Tally = Mapping[tuple[str, ...], Mapping[str, int]]
"""How often a fact happened, by its labels (in the fact's order) and by window."""


@dataclass(frozen=True)
class Term:
    """A weighted count of one fact: what has `value` as its `label` counts `weights[value]` times, 0 where none is given.

    Without a label everything counts once.
    """

    fact: str
    label: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)

    def weight(self, labels: Mapping[str, str]) -> float:
        return self.weights.get(labels[self.label], 0.0) if self.label else 1.0


@dataclass(frozen=True)
class Figure:
    """A gauge with the label `window`: the sum of `part` / the sum of `whole`, or `part` alone.

    Where the whole is not above zero there is no ratio. A metric may be made of several figures, each with other facts.
    """

    metric: str
    part: tuple[Term, ...]
    whole: tuple[Term, ...] = ()

    @property
    def by(self) -> tuple[str, ...]:
        """The labels besides the window."""
        return tuple(label for label in metric(self.metric).labels if label != "window")

    @property
    def facts(self) -> frozenset[str]:
        return frozenset(term.fact for term in (*self.part, *self.whole))

    @property
    def relations(self) -> frozenset[str]:
        """The relations of the contract whose rows it counts."""
        return frozenset("tickets" if fact == PAST_DUE else FACTS[fact][0].relation for fact in self.facts)


def _only(*values: str) -> dict[str, float]:
    return dict.fromkeys(values, 1.0)


_SERVED = ("ticket_sla_responses", "ticket_sla_resolutions")
PAST_DUE = "tickets_past_due"
"""Open tickets that were not served when they were due, by kind: counted as they stand, since nothing happens to such a row."""

FIGURES = (
    Figure("platform_users_new", (Term("users_created"),)),
    Figure("platform_window_conversations", (Term("conversations_started"),)),
    Figure(
        "platform_goal_success_ratio",
        (Term("conversations_ended", "goal", _only("achieved")),),
        (Term("conversations_ended", "goal", _only("achieved", "missed")),),
    ),
    Figure("platform_handoff_ratio", (Term("handoffs"),), (Term("conversations_ended"),)),
    Figure(
        "platform_nps_points",
        (Term("nps_answers", "group", {"promoter": 100.0, "detractor": -100.0}),),
        (Term("nps_answers"),),
    ),
    Figure("platform_window_nps_answers", (Term("nps_answers"),)),
    Figure(
        "platform_feedback_rating_average",
        (Term("feedback_ratings", "rating", {str(stars): float(stars) for stars in range(1, 6)}),),
        (Term("feedback_ratings"),),
    ),
    Figure(
        "platform_feedback_positive_ratio",
        (Term("feedback_thumbs", "sentiment", _only("positive")),),
        (Term("feedback_thumbs"),),
    ),
    Figure("platform_feedback_response_ratio", (Term("conversations_with_feedback"),), (Term("conversations_ended"),)),
    Figure(
        "platform_ticket_sla_attainment_ratio",
        tuple(Term(fact, "result", _only("met")) for fact in _SERVED),
        (*(Term(fact) for fact in _SERVED), Term(PAST_DUE)),
    ),
    Figure(
        "platform_ticket_reopen_ratio",
        (Term("tickets_resolved", "reopened", _only("yes")),),
        (Term("tickets_resolved"),),
    ),
)

_LABELS = {name: tuple(fact.labels) for name, (_, fact) in FACTS.items()} | {PAST_DUE: ("kind",)}


def by_labels(rows: Rows, labels: int, within: Sequence[Window]) -> Tally:
    """A tally from rows of `labels` label values, then a count for each window."""
    names = [window.name for window in within]
    return {tuple(row[:labels]): dict(zip(names, row[labels:], strict=True)) for row in rows}


def samples(figure: Figure, tallies: Mapping[str, Tally], expected: Expected) -> Iterator[Sample]:
    """The samples of one figure. Plain counts start at 0 for what is expected; ratios are there where there is a whole."""
    parts, wholes = _added(figure.by, figure.part, tallies), _added(figure.by, figure.whole, tallies)
    if figure.whole:
        for (labels, window), whole in wholes.items():
            if whole > 0:
                value = parts.get((labels, window), 0.0) / whole
                yield sample(figure.metric, *_in_order(figure, labels, window), value=value)
        return
    found = {_in_order(figure, labels, window): count for (labels, window), count in parts.items()}
    for values in expected.label_sets(metric(figure.metric)):
        found.setdefault(values, 0.0)
    for values, count in found.items():
        yield sample(figure.metric, *values, value=count)


def _in_order(figure: Figure, labels: tuple[str, ...], window: str) -> tuple[str, ...]:
    named = {**dict(zip(figure.by, labels, strict=True)), "window": window}
    return tuple(named[label] for label in metric(figure.metric).labels)


def _added(by: Sequence[str], terms: Sequence[Term], tallies: Mapping[str, Tally]) -> dict[tuple[tuple[str, ...], str], float]:
    """Weighted counts by the labels of a figure and the window."""
    found: defaultdict[tuple[tuple[str, ...], str], float] = defaultdict(float)
    for term in terms:
        for values, counts in tallies[term.fact].items():
            labels = dict(zip(_LABELS[term.fact], values, strict=True))
            weight = term.weight(labels)
            key = tuple(labels[label] for label in by)
            for window, count in counts.items():
                found[key, window] += weight * count
    return dict(found)
