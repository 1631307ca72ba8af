"""What opening a dashboard asks of Prometheus: series and samples of its open rows, with every label at its cap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contract.labels import LABELS
from contract.values import duration_seconds
from provisioning.boards import Board, Json, Query
from provisioning.capacity.fleet import Fleet
from provisioning.capacity.series import Read, Sizes, reads
from provisioning.check.boards.model import Site
from provisioning.check.boards.times import range_at_first, step
from provisioning.check.lint.model import Fault
from provisioning.check.tree import parsed
from provisioning.interpolation import Span, builtins, substitute

MOST_SERIES, MOST_SAMPLES = 100_000, 50_000_000
"""As many samples as Prometheus holds for one query at most (`query.max-samples`), for the whole dashboard."""
_LARGEST = Fleet(agents=LABELS["agent"].size, models=LABELS["model"].size, tools=LABELS["tool"].size)


@dataclass(frozen=True)
class _Load:
    place: str
    series: float
    samples: float


def load(board: Board, site: Site) -> Iterator[tuple[str, Fault]]:
    """A reader waits for all of the open rows; those of folded ones are asked when somebody opens them."""
    sizes = Sizes(_LARGEST, site.known, site.scrape.total_seconds())
    opened = [panel for panel in board.model.get("panels", ()) if isinstance(panel, dict) and panel.get("type") != "row"]
    loads = [one for panel in opened for one in _of_panel(board, panel, site, sizes)]
    series, samples = sum(one.series for one in loads), sum(one.samples for one in loads)
    if series > MOST_SERIES or samples > MOST_SAMPLES:
        largest = max(loads, key=lambda one: one.series / MOST_SERIES + one.samples / MOST_SAMPLES)
        found = (
            f"opening it reads {series:,.0f} series and {samples:,.0f} samples where every label is at its cap, "
            f"{MOST_SERIES:,} and {MOST_SAMPLES:,} at most; most of it for {largest.place}"
        )
        yield board.place, Fault(found, "fold its row, ask less often, or record the signal", "warning")


def _of_panel(board: Board, panel: Json, site: Site, sizes: Sizes) -> Iterator[_Load]:
    range_ = range_at_first(board, panel)
    if range_ is None:
        return
    apart = step(range_, panel, site).total_seconds()
    steps = {str(target.get("refId")): _seconds(target.get("interval")) for target in panel.get("targets", ())}
    for query in board.panel_queries(panel):
        if query.language == "promql":
            every = max(apart, steps.get(query.place.rpartition(" ")[2], 0.0))
            points = 1.0 if query.instant else range_.total_seconds() / every
            yield _of_query(query, points, board, Span(0, range_.total_seconds(), int(every)), sizes)


def _seconds(interval: object) -> float:
    try:
        return duration_seconds(str(interval))
    except ValueError:
        return 0.0  # none, or a variable


def _of_query(query: Query, points: float, board: Board, span: Span, sizes: Sizes) -> _Load:
    try:
        found = list(reads(parsed(filled(query.text, board, span, sizes.interval))))
    except ValueError:
        found = []  # said where expressions are looked at
    series = sum(sizes.samples(Read(one.selector, 0.0)) for one in found)
    samples = sum(sizes.samples(one) * (1.0 if one.pinned else points) for one in found)
    return _Load(query.place, series, samples)


def filled(text: str, board: Board, span: Span, scrape: float) -> str:
    """A query of a dashboard as it is asked at first; a variable without a choice is `x`."""
    known = builtins(span, scrape)

    def value(name: str, _form: str) -> str:
        chosen = board.variables.get(name, {}).get("current", {}).get("value", "x")
        return known.get(name) or (chosen if isinstance(chosen, str) else "x")

    return substitute(text, value)
