"""What the roll-ups say, in the words of `model`, and a connection that is disturbed in the middle of its work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg

from contract.metrics import MetricType
from exporters.business import counted
from exporters.business.expected import Expected
from exporters.rollups.model import HISTOGRAM_COLUMNS, SUM_COLUMNS
from exporters.rollups.read import Totals
from exporters.rollups.sources import FACTS, STOCKS
from exporters.snapshot import Distribution
from tests.rollups.model import TIERS, Cell, Figures, Series, told


def counters(connection: psycopg.Connection) -> dict[Cell, dict[str, int]]:
    found = connection.execute(f"SELECT fact, labels, n, {', '.join(_COLUMNS)} FROM analytics.counters")
    return told({_cell(fact, labels): _figures(fact, figures) for fact, labels, *figures in found})


def metrics(connection: psycopg.Connection, totals: Totals | None = None) -> dict[Series, dict[str, int]]:
    """Counters and histograms as they are published, from `totals` that were read before or all anew."""
    found: dict[Series, Figures] = {}
    for item in counted.figures((totals or Totals()).read(connection), Expected((), ())):
        if isinstance(item, Distribution):
            buckets = {f"le{number}": count for number, count in enumerate(item.buckets)}
            found[item.metric.name, item.labels] = Counter(buckets | {"sum": round(item.sum * 1e6)})
        elif item.metric.type is not MetricType.GAUGE:
            found[item.metric.name, item.labels] = Counter(n=int(item.value))
    return told(found)


def stocks(connection: psycopg.Connection) -> dict[Cell, int]:
    found = connection.execute("SELECT stock, labels, n FROM analytics.stocks WHERE n <> 0")
    return {(stock, tuple(sorted(zip(STOCKS[f"stock:{stock}"].labels, labels, strict=True)))): n for stock, labels, n in found}


def tiers(connection: psycopg.Connection) -> dict[Any, dict[str, int]]:
    sums = ", ".join(f"sum({column})::bigint" for column in ("n", *_COLUMNS))
    found: dict[Any, Figures] = {}
    for tier in TIERS:
        for fact, labels, bucket, *figures in connection.execute(
            f"SELECT fact, labels, bucket, {sums} FROM analytics.{tier} GROUP BY 1, 2, 3"
        ):
            found[tier, _cell(fact, labels), bucket] = _figures(fact, figures)
    return told(found)


_COLUMNS = (*SUM_COLUMNS, *HISTOGRAM_COLUMNS)


def _cell(fact: str, labels: list[str]) -> Cell:
    return fact, tuple(sorted(zip(FACTS[fact].labels, labels, strict=True)))


def _figures(fact: str, figures: list[int | None]) -> Figures:
    names = ["n", *FACTS[fact].sums, *[""] * (len(SUM_COLUMNS) - len(FACTS[fact].sums))]
    names += [f"le{number}" for number in range(len(HISTOGRAM_COLUMNS))]
    assert not any(value for name, value in zip(names, figures, strict=True) if not name), "a sum that the fact does not have"
    return Counter({name: value or 0 for name, value in zip(names, figures, strict=True) if name})


class Disturbed(psycopg.Connection[Any]):
    """A connection that lets a test act right before each of its statements, which it hears of."""

    def watch(self, before: Callable[[str], None]) -> None:
        self._before = before

    def execute(self, query: Any, params: Any = None, **options: Any) -> psycopg.Cursor[Any]:
        if (before := getattr(self, "_before", None)) is not None:
            before(query.decode() if isinstance(query, bytes) else query if isinstance(query, str) else query.as_string(None))
        return super().execute(query, params, **options)
