"""The renderer against prometheus-client, byte for byte, and what a scraper gets to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from contract.catalogue import of_source
from contract.metrics import MetricType, Source
from exporters.exposition import Family, Renderer, exposition
from exporters.negotiation import OPENMETRICS, TEXT, gzip_accepted, negotiate
from exporters.snapshot import Distribution, Figure, Sample, sample

KINDS = {
    MetricType.COUNTER: CounterMetricFamily,
    MetricType.GAUGE: GaugeMetricFamily,
    MetricType.HISTOGRAM: HistogramMetricFamily,
}


class Reference(Collector):
    """The same figures as families of prometheus-client."""

    def __init__(self, figures: Iterable[Figure]) -> None:
        self.figures = list(figures)

    def collect(self) -> Iterator[Metric]:
        for declared in sorted({item.metric for item in self.figures}, key=lambda metric: metric.name):
            unit = declared.unit if declared.name.removesuffix("_total").endswith(f"_{declared.unit}") else ""
            family = KINDS[declared.type](declared.name, declared.help, labels=declared.labels, unit=unit)
            for item in sorted(self.figures, key=lambda item: item.labels):
                if item.metric is not declared:
                    continue
                if isinstance(item, Distribution):
                    bounds = [*map(floatToGoString, declared.buckets), "+Inf"]
                    family.add_metric(item.labels, list(zip(bounds, accumulate(item.buckets), strict=True)), item.sum)
                else:
                    family.add_metric(item.labels, item.value)
            yield family


def registry(figures: Iterable[Figure]) -> CollectorRegistry:
    found = CollectorRegistry()
    found.register(Reference(figures))
    return found


def printed(*collectors: Iterable[Figure]) -> tuple[bytes, bytes]:
    """Text and OpenMetrics of what these collectors give."""
    families: list[Family] = []
    for figures in collectors:
        families += Renderer().families(figures)
    return exposition(families, TEXT), exposition(families, OPENMETRICS) + b"# EOF\n"


OURS = list(of_source(Source.POSTGRES, Source.LANGFUSE, Source.EXPORTER))
VALUES = st.one_of(
    st.integers(min_value=0, max_value=2**53).map(float),
    st.floats(min_value=0, allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1e-7, 0.1, 999999.0, 1000000.0, 1234567.5, 1e15, 1e16, 1.7e9 + 0.123]),
)
COUNTS = st.integers(min_value=0, max_value=2**40) | st.sampled_from([0, 999_999, 1_000_000])
TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)


@st.composite
def figure_sets(draw: st.DrawFn) -> list[Figure]:
    found: dict[tuple[str, tuple[str, ...]], Figure] = {}
    for declared in draw(st.lists(st.sampled_from(OURS), min_size=1, max_size=8)):
        labels = tuple(draw(TEXTS | st.sampled_from(['"', "\\", "\n", 'a"b\\c\nd'])) for _ in declared.labels)
        if declared.type is MetricType.HISTOGRAM:
            size = len(declared.buckets) + 1
            buckets = draw(st.lists(COUNTS, min_size=size, max_size=size))
            found[declared.name, labels] = Distribution(declared, labels, tuple(buckets), draw(VALUES))
        else:
            found[declared.name, labels] = Sample(declared, labels, draw(VALUES))
    return list(found.values())


@given(figure_sets())
def test_both_forms_are_what_prometheus_client_prints(figures: list[Figure]) -> None:
    text, openmetrics = printed(figures)
    assert text == generate_latest(registry(figures))
    assert openmetrics == generate_openmetrics(registry(figures))  # type: ignore[no-untyped-call]


def every_metric() -> list[Figure]:
    found: list[Figure] = []
    for declared in OURS:
        labels = ("value",) * len(declared.labels)
        if declared.type is MetricType.HISTOGRAM:
            found.append(Distribution(declared, labels, (2,) + (0,) * len(declared.buckets), 2.0))
        else:
            found.append(Sample(declared, labels, 2.0))
    return found


def test_a_strict_parser_reads_every_metric_of_the_contract() -> None:
    families = list(parse_openmetrics(printed(every_metric())[1].decode()))  # type: ignore[no-untyped-call]
    assert {found.name: found.value for family in families for found in family.samples} == {
        name: 2.0 for declared in OURS for name in declared.series_names
    }
    assert {family.name: family.type for family in families} == {
        declared.name.removesuffix("_total"): str(declared.type) for declared in OURS
    }


def test_lines_of_one_metric_from_several_collectors_stand_together() -> None:
    one, two = sample("exporter_source_up", "postgres", value=1), sample("exporter_source_up", "langfuse", value=0)
    users = sample("platform_users", "admin", value=3)
    text = printed([one, users], [two])[0].decode()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        'exporter_source_up{source="postgres"} 1.0',
        'exporter_source_up{source="langfuse"} 0.0',
        'platform_users{role="admin"} 3.0',
    ]
    assert text.count("# TYPE exporter_source_up gauge") == 1


def test_a_second_rendering_follows_the_values_and_forgets_what_vanished() -> None:
    renderer = Renderer()
    first = [sample("platform_users", role, value=1) for role in ("admin", "guest")]
    assert exposition(renderer.families(first), TEXT) == generate_latest(registry(first))
    other = [sample("platform_users", role, value=1e7) for role in ("admin", "guest")]
    assert exposition(renderer.families(other), TEXT) == generate_latest(registry(other))
    second = [sample("platform_users", "admin", value=2)]
    assert exposition(renderer.families(second), TEXT) == generate_latest(registry(second))
    assert renderer.families([]) == []


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0,*/*;q=0.1", TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
         "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", OPENMETRICS),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
         "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.3,*/*;q=0.2",
         OPENMETRICS),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.9", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=much,text/plain", TEXT),
    ],
)  # fmt: skip
def test_negotiation(accept: str, expected: str) -> None:
    assert negotiate(accept) == expected


@pytest.mark.parametrize(
    ("header", "accepted"),
    [("", False), ("gzip", True), ("deflate, gzip;q=0.5", True), ("gzip;q=0", False), ("identity", False), ("*", True)],
)
def test_compression_only_for_who_asks(header: str, accepted: bool) -> None:
    assert gzip_accepted(header) is accepted
