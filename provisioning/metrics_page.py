"""`docs/metrics.md`: every metric with its one owner and the reason for it, and the tables from which the exporter counts.

`python -m provisioning.metrics_page` prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from contract.catalogue import catalogue, of_source
from contract.metrics import Metric, Source
from contract.owners import OWNED, REASONS
from provisioning.counted_tables import tables_of

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


if __name__ == "__main__":
    print(page(), end="")
