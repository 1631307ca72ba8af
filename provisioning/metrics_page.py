"""`docs/metrics.md`: every metric with its one owner and the reason for it, and the tables from which the exporter counts.

`python -m provisioning.metrics_page` prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from contract.analytics import ANALYTICS_SCHEMA
from contract.catalogue import catalogue, of_source
from contract.metrics import Metric, Source
from contract.owners import OWNED, REASONS
from contract.relations import APP_SCHEMA
from exporters.business import active_users, load_tests, open_tickets, regressions, states, tables
from exporters.business.figures import FACTS, FIGURES, PAST_DUE
from exporters.outlook import collector as outlook
from exporters.rollups.model import Source as Counted
from exporters.rollups.sources import SOURCES
from exporters.rollups.sources.service import TICKETS
from exporters.rollups.sources.talk import MESSAGES

_HEAD = """\
# Metrics

{count} metrics, written by `make docs` from the contract (`contract/`). Each has one owner, the source that it is asked of;
`docs/panels.md` says which panels read it. Histograms are named without `_bucket`, `_sum` and `_count`.
Metrics of the platform and of other programs get `environment`, `job` and `instance` from their target.
"""
_TITLES = {
    Source.PLATFORM: "The platform itself",
    Source.POSTGRES: "PostgreSQL, by the exporter",
    Source.LANGFUSE: "Langfuse, by the exporter",
    Source.EXPORTER: "The exporter, about itself",
    Source.FOREIGN: "Other programs, about themselves",
}
_TABLES = """\
The tables are called as the contract calls them; what they are called in a database of one's own, the mapping says
(`docs/database.md`). Counts come from roll-ups, which read each new or changed row of these tables once."""
_TWICE = """\
## Where two sources could say the same

Alerts read the owner, and so do panels, but for those that show what rows say. The others are there to be held against it: the
alert SourceLosesEvents does.
"""


def page() -> str:
    """The whole page in Markdown."""
    parts = [_HEAD.format(count=len(catalogue()))]
    for source, title in _TITLES.items():
        parts += [f"## {title}\n", f"{REASONS[source]}\n"]
        if source is Source.POSTGRES:
            parts += [f"{_TABLES}\n", *_table(of_source(source), tables_of())]
        else:
            parts += _table(of_source(source), {})
    parts += [_TWICE, "| figure | owner | also in | why |\n|---|---|---|---|"]
    parts += [_row(one.figure, f"`{one.owner}`", ", ".join(f"`{name}`" for name in one.others), one.why) for one in OWNED]
    return "\n".join(parts) + "\n"


def _table(metrics: Iterable[Metric], counted: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    heads = ("metric", "type", "unit", "labels", "what it is", *(("tables",) if counted else ()))
    yield f"{_row(*heads)}\n{'|---' * len(heads)}|"
    for one in metrics:
        what = f"{one.help}. None where {one.absent}." if one.absent else f"{one.help}."
        cells = (f"`{one.name}`", one.type.value, one.unit, ", ".join(one.labels), what)
        yield _row(*cells, *((", ".join(f"`{table}`" for table in counted[one.name]),) if counted else ()))
    yield ""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


@cache
def tables_of() -> Mapping[str, tuple[str, ...]]:
    """The tables behind each metric from PostgreSQL, by what the exporter is declared to count."""
    found: dict[str, set[str]] = {one.name: set() for one in of_source(Source.POSTGRES)}
    for source in SOURCES.values():
        given = [one for fact in source.facts for one in fact.yields] + [one for stock in source.stocks for one in stock.yields]
        for one in given:
            found[one.metric] |= _relations(source)
    for figure in FIGURES:
        for fact in figure.facts:
            found[figure.metric] |= _relations(TICKETS if fact == PAST_DUE else FACTS[fact][0])
    for name in (active_users.ACTIVE, active_users.ACTIVE_BEFORE):
        found[name] |= _relations(MESSAGES)
    for name in open_tickets.YIELDS:
        found[name] |= _relations(TICKETS)
    for names in regressions.YIELDS.values():
        for name in names:
            found[name] |= {"agent_executions", "agents", "deployments"}
    named = {name: sorted(f"{APP_SCHEMA}.{table}" for table in tables_) for name, tables_ in found.items()}
    for names, own in _OWN.items():
        for name in names:
            named[name] += own
    return {name: tuple(tables_) for name, tables_ in named.items()}


def _relations(source: Counted) -> set[str]:
    return {source.relation, *(join.relation for join in source.joins)}


_OWN: dict[tuple[str, ...], tuple[str, ...]] = {
    (*states.YIELDS, "platform_rollup_open_rows"): (f"{ANALYTICS_SCHEMA}.sources",),
    ("platform_rollup_open_rows",): (f"{ANALYTICS_SCHEMA}.shadows",),
    regressions.YIELDS["regressions"]: (f"{ANALYTICS_SCHEMA}.regressions",),
    load_tests.YIELDS: (f"{ANALYTICS_SCHEMA}.load_tests",),
    outlook.YIELDS["standing"]: tuple(f"{ANALYTICS_SCHEMA}.{table}" for table in ("advice", "forecast_trials", "outlook_runs")),
    tables.YIELDS["table_sizes"]: ("pg_class",),
    tables.YIELDS["slow_statements"]: ("pg_stat_statements",),
}
"""What is read of our own schema, and of PostgreSQL's."""


if __name__ == "__main__":
    print(page(), end="")
