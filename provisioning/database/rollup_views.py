"""The views of `contract.rollup_views` as SQL over the tiers of the roll-ups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from contract.rollup_views import RETENTION_COLUMNS, ROLLUP_VIEWS, USER_WEEK_COLUMNS, Measure, RollupView
from exporters.langfuse.counting import FACTS as LEDGER_FACTS
from exporters.rollups.sources import FACTS

Query = sql.SQL | sql.Composed


@dataclass(frozen=True)
class _Counted:
    """Where a fact's labels and sums stand in the tables of the roll-ups."""

    name: str
    labels: tuple[str, ...]
    sums: tuple[str, ...]
    bounds: tuple[float, ...]

    def label(self, name: str) -> Query:
        if name not in self.labels:
            return sql.SQL("''::text")
        return sql.SQL("s.labels[{}]").format(sql.Literal(self.labels.index(name) + 1))

    def figure(self, of: str) -> str:
        return "n" if of == "n" else f"s{self.sums.index(of) + 1}"


def _facts() -> dict[str, _Counted]:
    found = {name: _Counted(name, tuple(fact.labels), tuple(fact.sums), fact.bounds) for name, fact in FACTS.items()}
    found |= {name: _Counted(name, fact.labels, fact.sums, fact.bounds) for name, fact in LEDGER_FACTS.items()}
    return found


def rollup_queries() -> Iterator[tuple[str, Query]]:
    """Name and query of every view over the roll-ups."""
    facts = _facts()
    for view in ROLLUP_VIEWS.values():
        yield view.name, _query(view, facts)
    yield "retention_weekly", _retention(facts)
    yield "user_weekly", _user_weeks(facts)


def _query(view: RollupView, facts: dict[str, _Counted]) -> Query:
    names = list(dict.fromkeys([*(measure.fact for measure in view.measures), *filter(None, [view.quantiles_of])]))
    counts = len(facts[view.quantiles_of].bounds) + 1 if view.quantiles_of else 0
    parts = sql.SQL(" UNION ALL ").join(_part(view, facts[name], counts) for name in names)
    labels = [sql.Identifier(label) for label in view.labels]
    columns: list[sql.Composable] = [sql.SQL("bucket AS {}").format(sql.Identifier(view.tier)), *labels]
    columns += [_added(measure) for measure in view.measures]
    group = sql.SQL(", ").join([sql.SQL("bucket"), *labels])
    if not view.quantiles_of:
        return sql.SQL("SELECT {} FROM ({}) AS parts GROUP BY {}").format(sql.SQL(", ").join(columns), parts, group)
    histogram = sql.SQL(", ").join(sql.SQL("coalesce(sum({}), 0)::bigint").format(_h(n)) for n in range(counts))
    columns.append(sql.SQL("ARRAY[{}] AS histogram").format(histogram))
    inner = sql.SQL("SELECT {} FROM ({}) AS parts GROUP BY {}").format(sql.SQL(", ").join(columns), parts, group)
    bounds = sql.Literal(list(facts[view.quantiles_of].bounds))
    shown: list[sql.Composable] = [sql.Identifier(name) for name in view.columns[: -1 - len(view.shares)]]
    shown += [
        sql.SQL("analytics.quantile({}, histogram, {}::float8[]) AS {}").format(
            sql.Literal(share / 100), bounds, sql.Identifier(f"p{share}")
        )
        for share in view.shares
    ]
    shown.append(sql.Identifier("histogram"))
    return sql.SQL("SELECT {} FROM ({}) AS added").format(sql.SQL(", ").join(shown), inner)


def _part(view: RollupView, fact: _Counted, counts: int) -> Query:
    """The rows of one fact, with zero for what other facts give."""
    columns: list[sql.Composable] = [sql.SQL("s.bucket")]
    columns += [sql.SQL("{} AS {}").format(fact.label(label), sql.Identifier(label)) for label in view.labels]
    for measure in view.measures:
        value: Query = sql.SQL("NULL::bigint")
        if measure.fact == fact.name:
            value = sql.SQL("s.{}").format(sql.Identifier(fact.figure(measure.of)))
            for label, values in measure.where.items():
                value = sql.SQL("CASE WHEN {} = ANY ({}) THEN {} END").format(
                    fact.label(label), sql.Literal(list(values)), value
                )
        columns.append(sql.SQL("{} AS {}").format(value, sql.Identifier(measure.column)))
    for n in range(counts):
        value = sql.SQL("s.{}").format(_h(n)) if fact.name == view.quantiles_of else sql.SQL("NULL::bigint")
        columns.append(sql.SQL("{} AS {}").format(value, _h(n)))
    return sql.SQL("SELECT {} FROM {} AS s WHERE s.fact = {}").format(
        sql.SQL(", ").join(columns), sql.Identifier("analytics", f"{view.tier}s"), sql.Literal(fact.name)
    )


def _h(number: int) -> sql.Identifier:
    return sql.Identifier(f"h{number}")


def _added(measure: Measure) -> Query:
    name = sql.Identifier(measure.column)
    if measure.scale == 1.0:
        return sql.SQL("coalesce(sum({name}), 0)::bigint AS {name}").format(name=name)
    return sql.SQL("coalesce(sum({name}), 0)::float8 * {scale} AS {name}").format(name=name, scale=sql.Literal(measure.scale))


def _retention(facts: dict[str, _Counted]) -> Query:
    active = facts["users_active_in_week"]
    return sql.SQL(
        "SELECT {columns} FROM (SELECT active.cohort, active.week, (active.week - active.cohort) / 7 AS weeks,"
        " joined.users AS cohort_size, active.users,"
        " CASE WHEN active.week + 7 <= (now() AT TIME ZONE 'UTC')::date"
        "  THEN active.users::float8 / joined.users END AS retention"
        " FROM (SELECT {cohort}::date AS cohort, {week}::date AS week, sum(s.n)::bigint AS users FROM analytics.counters AS s"
        "  WHERE s.fact = {active} GROUP BY 1, 2) AS active"
        " JOIN (SELECT date_trunc('week', s.bucket AT TIME ZONE 'UTC')::date AS cohort, sum(s.n)::bigint AS users"
        "  FROM analytics.days AS s WHERE s.fact = {created} GROUP BY 1) AS joined ON joined.cohort = active.cohort) AS weeks"
    ).format(
        columns=sql.SQL(", ").join(sql.Identifier(name) for name in RETENTION_COLUMNS),
        cohort=active.label("cohort"),
        week=active.label("week"),
        active=sql.Literal(active.name),
        created=sql.Literal("users_created"),
    )


def _user_weeks(facts: dict[str, _Counted]) -> Query:
    """What remembers that a user was counted in a week: keys of the week's ten characters, a space and the user's id."""
    return sql.SQL(
        "SELECT {columns} FROM (SELECT left(f.key, 10)::date AS week, f.at, k.user_key FROM analytics.firsts AS f"
        " JOIN analytics.user_keys AS k ON k.user_id = substr(f.key, 12) WHERE f.fact = {active}) AS weeks"
    ).format(
        columns=sql.SQL(", ").join(sql.Identifier(name) for name in USER_WEEK_COLUMNS),
        active=sql.Literal(facts["users_active_in_week"].name),
    )
