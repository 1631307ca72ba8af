"""The declarations: every counter and histogram of the contract is counted somewhere, and nothing private is kept."""

from __future__ import annotations

from collections import Counter

import pytest

from contract.exporter_metrics import POSTGRES
from contract.metrics import MetricType, Source
from contract.relations import RELATIONS, Shown
from exporters.rollups.model import Fact, Yield
from exporters.rollups.sources import FACTS, SOURCES, STOCKS

SELF = {"platform_rollup_rows_total", "platform_rollup_corrections_total"}
"""What the roll-ups say of themselves, which comes from `analytics.sources`."""


def test_every_counter_and_histogram_of_the_platform_is_counted() -> None:
    given = {wanted.metric for fact in FACTS.values() for wanted in fact.yields}
    wanted = {
        metric.name
        for metric in POSTGRES
        if metric.source is Source.POSTGRES and metric.type in (MetricType.COUNTER, MetricType.HISTOGRAM)
    }
    assert given == wanted - SELF


def test_names_are_given_once() -> None:
    names = Counter(name for source in SOURCES.values() for name in (f.name for f in (*source.facts, *source.stocks)))
    facts = [name for source in SOURCES.values() for name in (fact.name for fact in source.facts)]
    assert len(facts) == len(set(facts)) == len(FACTS)
    assert len(STOCKS) == sum(len(source.stocks) for source in SOURCES.values())
    assert max(names.values()) <= 2  # a fact and a stock may share a name


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.name)
def test_no_text_that_people_wrote_is_kept(source: object) -> None:
    from exporters.rollups.model import Source as Counted

    assert isinstance(source, Counted)
    shown = {column.name: column.shown for column in RELATIONS[source.relation].columns}
    assert not [name for name in source.own_columns if shown[name] in (Shown.CONTENT, Shown.NEVER)]


def test_a_fact_that_cannot_give_its_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="has no label role"):
        Fact("x", at="at", labels={}, yields=(Yield("platform_users_created_total"),))
    with pytest.raises(ValueError, match="does not count"):
        Fact("x", at="at", labels={"role": "role"}, yields=(Yield("platform_users_created_total", "tokens"),))
    with pytest.raises(ValueError, match="bounds"):
        Fact("x", at="at", labels={}, histogram="duration")
