"""Prometheus text 0.0.4 and OpenMetrics 1.0 of figures, rendered once per change.

The text is byte for byte what prometheus-client's `generate_latest` gives for the same families, about twenty times faster,
because what stands before the values is kept from one rendering to the next. No `_created` series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby
from operator import itemgetter
from typing import NamedTuple, cast

from contract.metrics import Metric, MetricType
from exporters.snapshot import Distribution, Figure, Sample

EOF = b"# EOF\n"

_METRIC, _LABELS = itemgetter(0), itemgetter(1)


class Family(NamedTuple):
    """The lines of one metric, without what stands above them."""

    metric: Metric
    lines: bytes


def number(value: float) -> str:
    """A finite float as Go, and therefore Prometheus, prints it."""
    text = repr(value)
    dot = text.find(".")
    if dot <= 6 or value < 0:
        return text
    mantissa = f"{text[0]}.{text[1:dot]}{text[dot + 1 :]}".rstrip("0.")
    return f"{mantissa}e+{dot - 1:02d}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _series(name: str, labels: Iterable[tuple[str, str]]) -> str:
    """What stands before the value of a series."""
    inner = ",".join([f'{label}="{_escape(value)}"' for label, value in sorted(labels)])
    return f"{name}{{{inner}}} " if inner else f"{name} "


def _printed(item: Figure) -> tuple[str, ...]:
    """What stands before the values of a figure: one of a sample; of a distribution its buckets, its count and its sum."""
    name, labels = item.metric.name, list(zip(item.metric.labels, item.labels, strict=True))
    if isinstance(item, Sample):
        return (_series(name, labels),)
    bounds = [*map(number, map(float, item.metric.buckets)), "+Inf"]
    buckets = [_series(f"{name}_bucket", [*labels, ("le", bound)]) for bound in bounds]
    return (*buckets, _series(f"{name}_count", labels), _series(f"{name}_sum", labels))


def _distribution(item: Distribution, printed: Sequence[str]) -> str:
    counts = list(accumulate(item.buckets))
    values = [number(float(count)) for count in (*counts, counts[-1])]
    return "".join([f"{before}{value}\n" for before, value in zip(printed, (*values, number(item.sum)), strict=True)])


class _Plan(NamedTuple):
    """Where the figures of one metric stand in the list of all, by their labels, and what is printed before their values."""

    metric: Metric
    places: list[int]
    printed: list[tuple[str, ...]]


def _planned(items: Sequence[Figure]) -> list[_Plan]:
    order = sorted(range(len(items)), key=lambda place: (items[place].metric.name, items[place].labels))
    found = []
    for _, group in groupby(order, key=lambda place: items[place].metric.name):
        places = list(group)
        found.append(_Plan(items[places[0]].metric, places, [_printed(items[place]) for place in places]))
    return found


class Renderer:
    """Renders the figures of one collector. While the series stay the same, only their values are printed anew."""

    def __init__(self) -> None:
        self._series: tuple[list[Metric], list[tuple[str, ...]]] = ([], [])
        self._plan: list[_Plan] = []

    def families(self, figures: Iterable[Figure]) -> list[Family]:
        """Each metric with its lines; metrics by name, lines by labels."""
        items = list(figures)
        series = (list(map(_METRIC, items)), list(map(_LABELS, items)))
        if series != self._series:
            self._series, self._plan = series, _planned(items)
        return [Family(plan.metric, _lines(plan, items).encode()) for plan in self._plan]


def _lines(plan: _Plan, items: Sequence[Figure]) -> str:
    figures = [items[place] for place in plan.places]
    if plan.metric.type is MetricType.HISTOGRAM:
        return "".join(map(_distribution, cast(list[Distribution], figures), plan.printed))
    values = [item.value for item in cast(list[Sample], figures)]
    return "".join(
        [  # most values need nothing but `repr`, and this is where rendering spends its time
            f"{before}{value!r}\n" if value < 1e6 else f"{before}{number(value)}\n"
            for (before,), value in zip(plan.printed, values, strict=True)
        ]
    )


def _text_head(metric: Metric) -> bytes:
    help_ = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {metric.name} {help_}\n# TYPE {metric.name} {metric.type}\n".encode()


def _openmetrics_head(metric: Metric) -> bytes:
    name = metric.name.removesuffix("_total") if metric.type is MetricType.COUNTER else metric.name
    unit = f"# UNIT {name} {metric.unit}\n" if metric.unit and name.endswith(f"_{metric.unit}") else ""
    return f"# HELP {name} {_escape(metric.help)}\n# TYPE {name} {metric.type}\n{unit}".encode()


def exposition(families: Iterable[Family]) -> tuple[bytes, bytes]:
    """The whole in Prometheus text and in OpenMetrics, this one without its end mark.

    Lines of one metric that come from several collectors stand together, in the order in which they are given.
    """
    lines: defaultdict[Metric, list[bytes]] = defaultdict(list)
    for family in families:
        lines[family.metric].append(family.lines)
    metrics = sorted(lines, key=lambda metric: metric.name)
    return (
        b"".join([part for metric in metrics for part in (_text_head(metric), *lines[metric])]),
        b"".join([part for metric in metrics for part in (_openmetrics_head(metric), *lines[metric])]),
    )
