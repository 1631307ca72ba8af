"""The renderer against prometheus-client, byte for byte, and what a scraper gets to read."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.registry import Collector

from contract.catalogue import of_source
from contract.metrics import MetricType, Source
from exporters.exposition import OPENMETRICS, TEXT, Renderer, gzip_accepted, negotiate
from exporters.snapshot import Sample, sample


class Reference(Collector):
    """The same samples as families of prometheus-client."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.samples = list(samples)

    def collect(self) -> Iterator[Metric]:
        for declared in sorted({item.metric for item in self.samples}, key=lambda metric: metric.name):
            kind = CounterMetricFamily if declared.type is MetricType.COUNTER else GaugeMetricFamily
            unit = declared.unit if declared.name.removesuffix("_total").endswith(f"_{declared.unit}") else ""
            family = kind(declared.name, declared.help, labels=declared.labels, unit=unit)
            for item in sorted(self.samples, key=lambda item: item.labels):
                if item.metric is declared:
                    family.add_metric(item.labels, item.value)
            yield family


def registry(samples: Iterable[Sample]) -> CollectorRegistry:
    found = CollectorRegistry()
    found.register(Reference(samples))
    return found


OURS = [
    declared
    for declared in of_source(Source.POSTGRES, Source.LANGFUSE, Source.EXPORTER)
    if declared.type is not MetricType.HISTOGRAM
]
VALUES = st.one_of(
    st.integers(min_value=0, max_value=2**53).map(float),
    st.floats(min_value=0, allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1e-7, 0.1, 999999.0, 1000000.0, 1234567.5, 1e15, 1e16, 1.7e9 + 0.123]),
)
TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)


@st.composite
def sample_sets(draw: st.DrawFn) -> list[Sample]:
    found: dict[tuple[str, tuple[str, ...]], Sample] = {}
    for declared in draw(st.lists(st.sampled_from(OURS), min_size=1, max_size=8)):
        labels = tuple(draw(TEXTS | st.sampled_from(['"', "\\", "\n", 'a"b\\c\nd'])) for _ in declared.labels)
        found[declared.name, labels] = Sample(declared, labels, draw(VALUES))
    return list(found.values())


@given(sample_sets())
def test_text_is_what_prometheus_client_prints(samples: list[Sample]) -> None:
    assert Renderer().page(samples).text == generate_latest(registry(samples))


@given(sample_sets())
def test_openmetrics_is_what_prometheus_client_prints(samples: list[Sample]) -> None:
    without_clash = [item for item in samples if item.metric.name != "platform_conversations_started_total"]
    without_clash = [item for item in without_clash if item.metric.name != "platform_nps_answers_total"]
    printed = Renderer().page(without_clash).openmetrics
    assert printed == generate_openmetrics(registry(without_clash))  # type: ignore[no-untyped-call]


def every_metric() -> list[Sample]:
    return [Sample(declared, ("value",) * len(declared.labels), 2.0) for declared in OURS]


def test_a_strict_parser_reads_every_metric_of_the_contract() -> None:
    families = list(parse_openmetrics(Renderer().page(every_metric()).openmetrics.decode()))  # type: ignore[no-untyped-call]
    read = {found.name: found.value for family in families for found in family.samples}
    assert read == {declared.name: 2.0 for declared in OURS}
    types = {family.name: family.type for family in families}
    assert types["platform_window_conversations"] == "gauge"
    assert types["platform_conversations_ended"] == "counter"


def test_a_second_rendering_follows_the_values_and_forgets_what_vanished() -> None:
    renderer = Renderer()
    first = [sample("platform_users", role, value=1) for role in ("admin", "guest")]
    assert renderer.page(first).text == generate_latest(registry(first))
    second = [sample("platform_users", "admin", value=2)]
    assert renderer.page(second).text == generate_latest(registry(second))
    assert renderer.page([]).text == b""


def test_gzip_holds_the_same_bytes_and_is_the_same_every_time() -> None:
    page, again = Renderer().page(every_metric()), Renderer().page(reversed(every_metric()))
    assert gzip.decompress(page.text_gzip) == page.text
    assert gzip.decompress(page.openmetrics_gzip) == page.openmetrics
    assert page == again


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
