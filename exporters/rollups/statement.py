"""The one statement that counts what is new in a source.

Everything happens in one statement, so that it sees one snapshot of the database: images of the rows that were touched
(`after`), images of the same rows as they were counted (`before`), the differences into `analytics.fresh`, what has to be
remembered, and the new watermark.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours, or was quoted by psycopg

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporters.rollups.changes import Figures, amends, changes
from exporters.rollups.model import Source, once_a_week, quoted, week

# Among the CTEs keys are looked up by an `IN (…)` that cannot become a join, and is hashed. The planner believes CTEs to be
# small, and would loop over one for each row of the other when they are not.

_PROVIDED = "(SELECT so FROM provided)"
"""Whether `Touched.provided` is true."""

_TRUNCATED = "the table was truncated: how many rows there are is only known after `observatory db rebuild`"


@dataclass(frozen=True)
class Touched:
    """What a way of capture says about one step, as SQL.

    `rows` are conditions on `r`, no two of them true for one row: the rows to look at. `compare` drops those whose image is
    the one that is remembered. `keys` selects further keys that may have gone; "" for none. `retracted` selects rows with
    `key` and the source's own columns: final rows as they were counted. `remember` says which rows are remembered then.
    `further` are more CTEs, and `watermark` is the new watermark (jsonb). `truncated` is a condition: the table was emptied
    at once. `since`: rows of earlier times are counted by the hour instead of the minute, for there may be many.
    `provided`: a condition; where it is not true the statement does nothing, and returns no row. `all_new`: none of the rows
    was counted before, so that no earlier image is looked for.
    """

    rows: tuple[str, ...]
    keys: str
    watermark: str
    stamped: bool = False
    compare: bool = False
    retracted: str | None = None
    remember: str = "is_open"
    further: tuple[str, ...] = ()
    truncated: str | None = None
    backfilled: tuple[str, str] | None = None
    since: str | None = None
    provided: str | None = None
    all_new: bool = False


@dataclass(frozen=True)
class Form:
    """A source at one platform: its tables as SQL, and the types of its own columns there. `driving` is "" for queries.

    `planned`: the function of `exporters.rollups.planned` is installed, and is the one that this version makes. `keyed`: rows
    are found by their key.
    """

    source: Source
    driving: str
    table: str
    stamped: str
    joins: str
    own_types: dict[str, str]
    planned: bool = False
    keyed: bool = True

    @property
    def image(self) -> str:
        return ", ".join(f"{one.sql} AS {name}" for name, one in self.source.image.items())

    @property
    def names(self) -> str:
        return ", ".join(self.source.image)

    @property
    def as_json(self) -> str:
        return f"jsonb_build_object({', '.join(f'{quoted(name)}, {name}' for name in self.source.image)})"


def render(form: Form, touched: Touched, placing: Sequence[str] | None = None) -> str:
    """The statement. It returns one row: rows looked at, final rows corrected, rows gone.

    With `placing` (CTEs over a CTE `gone`, of changes) the counts go where these put them, instead of `analytics.fresh`.
    """
    source = form.source
    figures = Figures(source.counted, source.buckets) if placing is None else Figures()
    counts = _cells if touched.all_new else _counts
    parts = [
        *([] if touched.provided is None else [f"provided AS MATERIALIZED (SELECT {touched.provided} AS so)"]),
        *_after(form, touched),
        *(() if touched.all_new else _before(form, touched, many=placing is not None)),
        f"images AS NOT MATERIALIZED ({_images(form, touched)})",
        *touched.further,
        *_met(source),
        *_firsts(source),
        *_seen(source, many=placing is not None),
        *counts(source, touched.since, figures, placing),
        *_remembered(form, touched),
        f"tally AS MATERIALIZED (SELECT (SELECT count(*) FROM after) AS looked, {_others(touched)})",
    ]
    also = ""
    if touched.backfilled is not None:
        time, key = touched.backfilled
        also = f", backfill_time = {time}, backfill_key = {key}, backfill_rows = backfill_rows + tally.looked"
    if touched.truncated is not None:
        also += (
            f", rebuild_needed = rebuild_needed OR {touched.truncated},"
            f" problem = CASE WHEN {touched.truncated} THEN {quoted(_TRUNCATED)} ELSE problem END"
        )
    taken = "" if touched.provided is None else f" AND {_PROVIDED}"
    return (
        f"WITH {','.join(parts)}\n"
        "UPDATE analytics.sources AS state SET advanced_at = clock_timestamp(), "
        f"watermark = {touched.watermark}, counted = counted + tally.looked + tally.gone, "
        f"corrected = state.corrected + tally.corrected{also}\n"
        f"FROM tally WHERE state.source = {quoted(source.name)}{taken} RETURNING tally.looked, tally.corrected, tally.gone"
    )


def _cells(source: Source, since: str | None, figures: Figures, placing: Sequence[str] | None) -> list[str]:
    """Puts what new rows give where it belongs: nothing can fall, so their changes are cells at once."""
    columns, cells = ", ".join(("fact", "at", "labels", *figures.columns)), changes(source, since, figures, cells=True)
    if placing is None:
        return [f"written AS (INSERT INTO analytics.fresh ({columns}) {cells})"]
    return [f"gone ({columns}) AS MATERIALIZED ({cells})", *placing]


def _counts(source: Source, since: str | None, figures: Figures, placing: Sequence[str] | None) -> Iterator[str]:
    """Puts changes and amends where they belong. Without histograms they are cells as they are."""
    columns = ", ".join(("fact", "at", "labels", "bucket", *figures.counted))
    yield f"changes ({columns}) AS MATERIALIZED ({changes(source, since, figures)})"
    counts = "SELECT * FROM changes"
    if told := amends(source, figures):
        yield f"amends AS ({told})"
        counts += " UNION ALL SELECT * FROM amends"
    if placing is not None:
        yield f"gone AS MATERIALIZED ({counts})"
        yield from placing
        return
    added_up, grouped = ", ".join(figures.columns), ""
    if figures.buckets:
        added_up, grouped = figures.spread, " GROUP BY fact, at, labels"
    yield (
        f"written AS (INSERT INTO analytics.fresh (fact, at, labels, {', '.join(figures.columns)})"
        f" SELECT fact, at, labels, {added_up} FROM ({counts}) AS counts{grouped})"
    )


def _after(form: Form, touched: Touched) -> Iterator[str]:
    table = form.stamped if touched.stamped else form.table
    key, is_open = f'r.{form.source.key}::text COLLATE "C"', f"coalesce({form.source.open}, false)"
    if touched.all_new:  # who was not counted before is only named to be remembered
        key = f"CASE WHEN {is_open} THEN {key} END"
    only = "" if touched.provided is None else f" AND {_PROVIDED}"
    own = ", ".join(f"r.{column}" for column in form.own_types)
    looked = " UNION ALL ".join(
        f"SELECT {key} AS key, {is_open} AS is_open, {form.image}"
        # A prepared query that holds another one is walked through whenever it is run: images are kept out of that.
        f" FROM (SELECT {own} FROM {table} AS r WHERE {condition}{only}) AS r {form.joins}"
        for condition in touched.rows
    )
    if not touched.compare:
        yield f"after AS MATERIALIZED ({looked})"
        return
    yield f"looked AS MATERIALIZED ({looked})"
    yield (
        "after AS MATERIALIZED (SELECT * FROM looked WHERE NOT EXISTS (SELECT FROM analytics.shadows AS s"
        f" WHERE s.source = {quoted(form.source.name)} AND s.key = looked.key AND s.image = {form.as_json}))"
    )


def _before(form: Form, touched: Touched, many: bool) -> Iterator[str]:
    """Images as they were counted. `many` keys are not looked up: the few that are remembered are held against them."""
    source = form.source
    keys = "SELECT key FROM after" + (f" UNION ALL ({touched.keys})" if touched.keys else "")
    if not many:  # to sort the keys is dear, and in vain where nothing is remembered
        remembers = f"EXISTS (SELECT FROM analytics.shadows WHERE source = {quoted(source.name)})"
        keys = f"SELECT key FROM ({keys}) AS keys WHERE {remembers}"
    met = f"(s.key IN ({keys})) IS TRUE" if many else f"s.key = ANY (ARRAY({keys}))"
    typed = ", ".join(f"{name} {one.type}" for name, one in source.image.items())
    yield (
        f"shadow AS MATERIALIZED (SELECT s.key, o.* FROM analytics.shadows AS s, jsonb_to_record(s.image) AS o ({typed})"
        f" WHERE s.source = {quoted(source.name)} AND {met})"
    )
    remembered = f"SELECT key, false AS final, {form.names} FROM shadow"
    if touched.retracted is not None:
        yield f"retracted AS MATERIALIZED (SELECT r.key, {form.image} FROM ({touched.retracted}) AS r {form.joins})"
        remembered += f" UNION ALL SELECT key, true, {form.names} FROM retracted WHERE key NOT IN (SELECT key FROM shadow)"
    yield (f"before AS MATERIALIZED (SELECT was.*, was.key IN (SELECT key FROM after) AS stays FROM ({remembered}) AS was)")


def _others(touched: Touched) -> str:
    if touched.all_new:
        return "0::bigint AS corrected, 0::bigint AS gone"
    counted = "(SELECT count(*) FROM before WHERE {}) AS {}".format
    return f"{counted('final AND stays', 'corrected')}, {counted('NOT stays', 'gone')}"


def _images(form: Form, touched: Touched) -> str:
    now = f"SELECT 1::bigint AS w, true AS stays, {form.names} FROM after"
    return now if touched.all_new else f"{now} UNION ALL SELECT -1::bigint, stays, {form.names} FROM before"


def _firsts(source: Source) -> Iterator[str]:
    """The first row of this step with each text of which only the first counts, and which of these texts are new."""
    for fact in source.facts:
        if fact.once is not None:
            unknown = f"({fact.once}) IS NOT NULL"
            if source.last_seen is not None and source.last_seen.weekly == fact.name:
                unknown += f" AND (({fact.once}) IN (SELECT known_key FROM met)) IS NOT TRUE"
            yield (
                f'first_{fact.name} AS MATERIALIZED (SELECT DISTINCT ON (1) ({fact.once}) COLLATE "C" AS once_key,'
                f" 1::bigint AS w, after.* FROM after WHERE ({fact.when}) AND {unknown} ORDER BY 1, {fact.at})"
            )
            yield (
                f"once_{fact.name} AS (INSERT INTO analytics.firsts (fact, key, at)"
                f" SELECT {quoted(fact.name)}, once_key, coalesce({fact.at}, now()) FROM first_{fact.name}"
                # Dearer to be found by its insertion. No join: where statistics are older than the fact, the planner takes
                # the fact to have no keys, and would hold all that it has against each new one.
                " WHERE (SELECT true FROM analytics.firsts AS known"
                f" WHERE known.fact = {quoted(fact.name)} AND known.key = once_key) IS NULL"
                " ORDER BY 2 ON CONFLICT DO NOTHING RETURNING key)"
            )


def _met(source: Source) -> Iterator[str]:
    """In which minutes users were seen in this step, and what was known of them before."""
    if (seen := source.last_seen) is None:
        return
    minute = f"date_bin('1 minute', {seen.at}, 'epoch')"
    yield (
        "seen AS MATERIALIZED (SELECT user_id, max(at) AS at, (array_agg(at ORDER BY at DESC))[2] AS earlier_at"
        f" FROM (SELECT DISTINCT {seen.user} AS user_id, {minute} AS at FROM after WHERE {seen.when}) AS minutes GROUP BY 1)"
    )
    yield (
        "met AS MATERIALIZED (SELECT user_id, seen.at, seen.earlier_at, known.last_at, known.earlier_at AS known_earlier_at,"
        f" known.week AS known_week, {once_a_week('known.week', 'user_id')} AS known_key, known.ctid AS place"
        " FROM seen LEFT JOIN analytics.user_seen AS known USING (user_id))"
    )


def _seen(source: Source, many: bool) -> Iterator[str]:
    """Remembers when users were seen. Whose minute is new is noted as well; of `many`, who wrote lately."""
    if (seen := source.last_seen) is None:
        return
    now_week = "known_week"
    if any(fact.name == seen.weekly for fact in source.facts):  # a rebuild counts it under another name
        monday = f"({week('now_last_at')})"
        counted = f"({once_a_week(monday, 'user_id')}) IN (SELECT once_key FROM first_{seen.weekly})"
        now_week = f"CASE WHEN {counted} THEN {monday} ELSE known_week END"
    # What is known already is left out before the update, which would lock and log the row to find that out.
    yield (
        "told AS MATERIALIZED (SELECT user_id, place, now_last_at, now_earlier_at, now_week FROM"
        f" (SELECT *, {now_week} AS now_week FROM"
        " (SELECT *, greatest(at, last_at) AS now_last_at, greatest(earlier_at, known_earlier_at,"
        " nullif(least(at, last_at), greatest(at, last_at))) AS now_earlier_at FROM met) AS moved) AS found"
        " WHERE (now_last_at, now_earlier_at, now_week) IS DISTINCT FROM (last_at, known_earlier_at, known_week))"
    )
    # Nobody else writes to users while this source is locked, so that they stand where they were found.
    yield (
        "again AS (UPDATE analytics.user_seen AS known SET last_at = now_last_at, earlier_at = now_earlier_at, week = now_week"
        " FROM told WHERE known.ctid = place)"
    )
    yield (
        "begun AS (INSERT INTO analytics.user_seen (user_id, last_at, earlier_at, week)"
        " SELECT user_id, now_last_at, now_earlier_at, now_week FROM told WHERE place IS NULL)"
    )
    lately = " WHERE now_last_at >= now() - interval '10 minutes'" if many else ""
    yield (
        "noted AS (INSERT INTO analytics.seen_lately (at, users)"
        f" SELECT max(now_last_at), array_agg(user_id) FROM told{lately} HAVING count(*) > 0)"
    )


def _remembered(form: Form, touched: Touched) -> Iterator[str]:
    name = quoted(form.source.name)
    if form.source.open != "false" or touched.remember != "is_open":
        yield (
            f"kept AS (INSERT INTO analytics.shadows AS s (source, key, image) SELECT {name}, key, {form.as_json}"
            f" FROM after WHERE {touched.remember} ORDER BY key"
            " ON CONFLICT (source, key) DO UPDATE SET image = excluded.image WHERE s.image <> excluded.image)"
        )
    if not touched.all_new:
        yield (
            f"forgotten AS (DELETE FROM analytics.shadows AS s WHERE s.source = {name} AND s.key = ANY (ARRAY("
            f"SELECT key FROM shadow WHERE key NOT IN (SELECT key FROM after WHERE {touched.remember}))))"
        )
