"""The page of all metrics is what the contract and the exporter's declarations say today."""

from __future__ import annotations

from pathlib import Path

from contract.catalogue import catalogue, of_source
from contract.metrics import Source
from contract.relations import RELATIONS
from provisioning.metrics_page import page, tables_of

WRITTEN = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_current() -> None:
    assert WRITTEN.read_text() == page(), "a metric has changed: run `make docs`"


def test_every_metric_is_on_it_once() -> None:
    rows = [line.split("`")[1] for line in page().splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(catalogue())


def test_every_metric_from_postgresql_names_its_tables() -> None:
    tables = tables_of()
    assert tables.keys() == {one.name for one in of_source(Source.POSTGRES)} and all(tables.values())
    of_platform = {name for found in tables.values() for name in found if name.startswith("app.")}
    assert of_platform <= {relation.qualified for relation in RELATIONS.values()}


def test_a_ratio_names_the_tables_of_both_its_halves() -> None:
    assert {"app.handoffs", "app.conversations"} <= set(tables_of()["platform_handoff_ratio"])
