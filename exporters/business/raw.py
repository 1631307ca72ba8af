"""Questions asked of the platform's own tables, from the same declarations that the roll-ups count by.

What happened is only looked for in a window of time, on the relation's time column; what stands in a table is counted for
small tables alone. Whole histories stay out of reach: that is what roll-ups are for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg import sql

from exporters.database.mapping import Mapping
from exporters.rollups.model import Fact, Source, Stock
from exporters.windows import Window

RECENT = timedelta(hours=24)
"""How far back what has begun and not ended is looked for."""


def image(source: Source, mapping: Mapping, since: datetime | None = None) -> sql.Composed:
    """The rows of a source as its facts see them; with `since`, those whose time column is not before it."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(sql.SQL(column.sql), sql.Identifier(name)) for name, column in source.image.items()
    )
    joins = [
        sql.SQL(" LEFT JOIN {} AS {} ON {}").format(mapping.table(join.relation), sql.Identifier(join.alias), sql.SQL(join.on))
        for join in source.joins
    ]
    bounded = sql.SQL(" WHERE r.{} >= {}").format(sql.Identifier(source.contract.time), since) if since else sql.SQL("")
    table = mapping.table(source.relation)
    return sql.SQL("SELECT {} FROM {} AS r{}{}").format(columns, table, sql.SQL("").join(joins), bounded)


def tally(source: Source, fact: Fact, windows: Sequence[Window], mapping: Mapping) -> sql.Composed:
    """How often a fact happened in each window: its labels, then a count for each window.

    Of a fact that counts something once, it tells how many different ones there were in the window.
    """
    counted = sql.SQL("*") if fact.once is None else sql.SQL("DISTINCT once")
    counts = (
        sql.SQL("count({}) FILTER (WHERE at >= {} AND at < {})").format(counted, window.start, window.end) for window in windows
    )
    return sql.SQL(
        "SELECT {names} {counts} FROM (SELECT {labels} {once} AS once, {at} AS at FROM ({image}) AS image"
        " WHERE ({when}) AND {at} >= {since} AND {at} < {until}) AS happened {grouped}"
    ).format(
        names=_names(fact.labels, ", "),
        counts=sql.SQL(", ").join(counts),
        labels=_labels(fact.labels),
        once=sql.SQL(fact.once or "NULL"),
        at=sql.SQL(fact.at),
        image=image(source, mapping),
        when=sql.SQL(fact.when),
        since=min(window.start for window in windows),
        until=max(window.end for window in windows),
        grouped=_grouped(fact.labels),
    )


def standing(source: Source, stock: Stock, mapping: Mapping, since: datetime | None = None) -> sql.Composed:
    """How many rows there are of a stock: its labels, then the count."""
    return sql.SQL(
        "SELECT {names} count(*) FROM (SELECT {labels} 1 FROM ({image}) AS image WHERE {when}) AS held {grouped}"
    ).format(
        names=_names(stock.labels, ", "),
        labels=_labels(stock.labels),
        image=image(source, mapping, since),
        when=sql.SQL(stock.when),
        grouped=_grouped(stock.labels),
    )


def _names(labels: dict[str, str], end: str) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, labels)) + sql.SQL(end if labels else "")


def _labels(labels: dict[str, str]) -> sql.Composable:
    columns = (sql.SQL("{} AS {},").format(sql.SQL(text), sql.Identifier(name)) for name, text in labels.items())
    return sql.SQL(" ").join(columns)


def _grouped(labels: dict[str, str]) -> sql.Composable:
    return sql.SQL("GROUP BY ") + _names(labels, "") if labels else sql.SQL("")
