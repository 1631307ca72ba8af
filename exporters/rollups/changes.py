"""What images of rows give: changes of counts, as SQL over the CTEs of the statement of `exporters.rollups.statement`."""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours, or was quoted by psycopg

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exporters.rollups.model import COUNTED, HISTOGRAM_COLUMNS, Fact, Source, plausible, quoted


@dataclass(frozen=True)
class Figures:
    """Columns of figures: `counted` ones, and those of a histogram's `buckets`.

    A step leaves out those for which its source has no use: a column takes its time wherever it passes, be it NULL in all rows.
    """

    counted: tuple[str, ...] = COUNTED
    buckets: tuple[str, ...] = HISTOGRAM_COLUMNS

    @property
    def columns(self) -> tuple[str, ...]:
        return self.counted + self.buckets

    @property
    def spread(self) -> str:
        """The columns of changes that are added up: from a row a bucket of the histogram to a column a bucket."""
        counted = [f"analytics.total({column}) AS {column}" for column in self.counted]
        return ", ".join(
            counted
            + [f"analytics.total(n) FILTER (WHERE bucket = {number}) AS {column}" for number, column in enumerate(self.buckets)]
        )


SPREAD = Figures().spread
"""All `FIGURES` of changes."""

STOCK = "stock:"
"""Stands before the names of stocks, which live in the same tables as facts."""


def changes(source: Source, since: str | None, figures: Figures, cells: bool = False) -> str:
    """The differences that the images make, by fact, bucket of time, labels and bucket of the histogram.

    Or they are `cells`, with a column for each of the histogram's buckets; there are no earlier images then.
    """
    rows = [_fact(fact, since, figures, cells) for fact in source.facts]
    rows += [
        _row(STOCK + stock.name, None, stock.labels.values(), (), None, f"images WHERE {stock.when}", figures, cells)
        for stock in source.stocks
    ]
    if (seen := source.last_seen) is not None:
        moved = (
            "(SELECT at, 1::bigint AS w FROM met WHERE (at > last_at) IS NOT FALSE"
            " UNION ALL SELECT last_at, -1 FROM met WHERE at > last_at) AS moved"
        )
        rows.append(_row(seen.fact, _bucket("at", since), (), (), None, moved, figures, cells))
    return " UNION ALL ".join(rows)


def amends(source: Source, figures: Figures) -> str:
    """What counters need beside the changes, so that no figure falls that a metric shows. "" where no metric is a counter."""
    projected = " UNION ALL ".join(_projected(fact, one, figures) for fact in source.facts for one in fact.projections)
    amounts = ", ".join(f"greatest(-analytics.total({column}), 0)" for column in figures.counted)
    falls = " OR ".join(f"analytics.total({column}) < 0" for column in figures.counted)
    return projected and (
        f"SELECT fact, NULL::timestamptz, labels, bucket, {amounts} FROM ({projected}) AS projected"
        f" WHERE EXISTS (SELECT FROM before) GROUP BY fact, labels, bucket HAVING {falls}"
    )


def _fact(fact: Fact, since: str | None, figures: Figures, cells: bool) -> str:
    bucket = None
    if fact.histogram is not None:
        bounds = ", ".join(str(round(bound * 1_000_000)) for bound in fact.bounds)
        # The last bound that a value does not exceed is found among whole numbers: v <= bound is v - 1 < bound.
        bucket = f"width_bucket({fact.histogram} - 1, ARRAY[{bounds}]::bigint[])"
    if fact.once is None:
        rows = f"images WHERE stays AND ({fact.when})"
    else:
        rows = f"first_{fact.name} WHERE (once_key IN (SELECT key FROM once_{fact.name})) IS TRUE"
    at, labels, sums = _bucket(fact.at, since), fact.labels.values(), fact.sums.values()
    return _row(fact.name, at, labels, sums, bucket, rows, figures, cells)


def _row(
    fact: str,
    at: str | None,
    labels: Iterable[str],
    sums: Iterable[str],
    bucket: str | None,
    rows: str,
    figures: Figures,
    cells: bool,
) -> str:
    """Changes by the images that have part in a fact; `w` is 1 for images now, -1 for earlier ones.

    Labels are joined when their rows are added up: a thousand rows have few sets of them.
    """
    weighted = "({})::bigint" if cells else "w * ({})::bigint"
    said = {f"l{number}": label for number, label in enumerate(labels)}
    counted = {"w": "w"} | {f"a{number}": weighted.format(amount) for number, amount in enumerate(sums)}
    bucketed = {"bucket": bucket} if bucket else {}
    by_bucket = "analytics.total(w) FILTER (WHERE bucket = {})" if bucket else "NULL::bigint"
    keys = ({"at": at} if at else {}) | said | ({} if cells else bucketed)
    sums_up = [f"analytics.total({name})" for name in counted]
    joined = " || E'\\x1f' || ".join(said) or "''"
    columns = [
        f"{quoted(fact)}::text AS fact",
        ("at" if at else "NULL::timestamptz") + " AS at",
        f'({joined})::text COLLATE "C" AS labels',
        *(() if cells else [("bucket" if bucket else "NULL::integer") + " AS bucket"]),
        *sums_up,
        *["NULL::bigint"] * (len(figures.counted) - len(sums_up)),
        *(by_bucket.format(number) for number in range(len(figures.buckets) if cells else 0)),
    ]
    named = ", ".join(f"({text}) AS {name}" for name, text in (keys | counted | bucketed).items())
    once = " OFFSET 0" if bucket and cells else ""  # or the bucket would be looked up anew for each column
    changed = " OR ".join(f"{figure} <> 0" for figure in sums_up)
    grouped = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {', '.join(columns)} FROM (SELECT {named} FROM {rows}{once}) AS part{grouped} HAVING {changed}"


def _bucket(at: str, since: str | None) -> str:
    """The bucket of time that `at` belongs to; NULL for what can have been no time, and is in the totals alone."""
    minute, hour = f"date_bin('1 minute', {at}, 'epoch')", f"date_bin('1 hour', {at}, 'epoch')"
    hours = "" if since is None else f" WHEN {at} < {since} THEN {hour}"
    return f"CASE WHEN ({plausible(at)}) IS NOT TRUE THEN NULL{hours} ELSE {minute} END"


def _projected(fact: Fact, projection: Fact, figures: Figures) -> str:
    """Changes of a fact by the labels and figures that the metrics of a projection show."""
    places = [list(fact.labels).index(label) + 1 for label in projection.labels]
    labels = " || E'\\x1f' || ".join(f"split_part(labels, E'\\x1f', {place})" for place in places) or "''"
    shown, bucket, rows = {*projection.shown}, "NULL::integer", f"changes WHERE fact = {quoted(fact.name)}"
    if projection.histogram is not None:
        shown, bucket, rows = {"n", *shown}, "bucket", f"{rows} AND bucket IS NOT NULL"
    said = ", ".join(f"{column if column in shown else 'NULL::bigint'} AS {column}" for column in figures.counted)
    return (
        f'SELECT {quoted(projection.name)}::text AS fact, ({labels})::text COLLATE "C" AS labels, {bucket} AS bucket,'
        f" {said} FROM {rows}"
    )
