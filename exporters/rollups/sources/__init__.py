"""Everything that is counted in the platform's tables, by the name of the source. To count more, declare it here."""

from __future__ import annotations

from exporters.rollups.model import Fact, Source, Stock
from exporters.rollups.sources.service import SERVICE
from exporters.rollups.sources.talk import TALK
from exporters.rollups.sources.work import WORK

SOURCES: dict[str, Source] = {source.name: source for source in (*WORK, *TALK, *SERVICE)}

FACTS: dict[str, Fact] = {fact.name: fact for source in SOURCES.values() for fact in source.facts}
AMENDS: dict[str, Fact] = {one.name: one for fact in FACTS.values() for one in fact.projections}
"""What counters need besides the cells of facts so that they never fall, in the same tables."""
STOCKS: dict[str, Stock] = {f"stock:{stock.name}": stock for source in SOURCES.values() for stock in source.stocks}
"""Stocks stand in the same tables as facts, with `stock:` before their names."""
