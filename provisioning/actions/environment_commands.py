"""One agent in several environments, side by side: `environments`. The figures are those of the panel on parity."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from psycopg.rows import dict_row

from contract.settings import Settings
from provisioning import config as configuration
from provisioning.actions import audit
from provisioning.actions.audit import ACTOR_VARIABLE, Connection, actor, recorded
from provisioning.actions.lengths import seconds_within
from provisioning.actions.options import CONFIG, DSN_FILE
from provisioning.actions.places import refuse_unknown
from provisioning.choices import Choice, written
from provisioning.findings import InputError
from provisioning.interpolation import Span, sql_macros, substitute

Row = dict[str, Any]
SHORTEST, LONGEST = "1h", "90d"
_EVERY = Choice((), several=True, all_text=".*")
_ADVICE = {
    "p95_gap": "its time to an answer differs: compare model, machine, data and load",
    "errors_gap": "its share of failures differs: compare configuration and what it can reach",
    "cost_gap": "its cost of an execution differs: compare model, prompt and caches",
}


@click.group()
def environments() -> None:
    """One agent in all environments, side by side.

    \b
    observatory environments compare billing
    observatory environments compare billing --reference staging --range 24h --format csv
    """


@environments.command("compare")
@click.argument("agent")
@click.option("--reference", help="What the others are held against.  [the first that may wake people]")
@click.option("--environments", "only", multiple=True, help="Only this environment; may be given several times.")
@click.option("--range", "length", default="7d", show_default=True, help="How far back: 24h, 7d, 30d.")
@CONFIG
@click.option("--actor", "who", help=f"Who asks.  [env: {ACTOR_VARIABLE}; else your login]")
@DSN_FILE
@click.option("--format", "form", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True)
def compare(
    agent: str, reference: str | None, only: tuple[str, ...], length: str, config: Path | None, who: str | None,
    dsn_file: Path | None, form: str,
) -> None:  # fmt: skip
    """p95, failures and cost of an execution, with the gaps that are worth a look. Only that it was asked is recorded."""
    from dashboards.performance import environments as panel

    settings, name = configuration.chosen(config), actor(who)
    against = reference or panel.reference(settings)
    for place in (against, *only):
        if place not in settings.environments:
            raise InputError(f"error: there is no environment {place}; there are: {', '.join(settings.environments)}")
    seconds = seconds_within("--range", length, SHORTEST, LONGEST)
    with recorded(dsn_file) as connection:
        refuse_unknown(connection, agent, against)
        rows = figures(connection, settings, agent, against, seconds)
        with connection.transaction():
            asked = {"range": length, "reference": against, "environments": [row["environment"] for row in rows]}
            audit.add(connection, name, "environments compare", f"agent {agent}", None, asked)
    rows = [row for row in rows if not only or row["environment"] in (against, *only)]
    click.echo(_told(rows, form, settings, panel.GAP), nl=form != "csv")


def figures(connection: Connection, settings: Settings, agent: str, reference: str, seconds: float) -> list[Row]:
    """The rows of the panel on parity, of one agent, over the last `seconds`; the reference first."""
    from dashboards.performance.environments import parity_query

    chosen = {"agent": Choice((agent,), several=True)}
    now = time.time()
    text = substitute(
        parity_query(settings, reference),
        lambda name, form: None if name.startswith("__") else written(chosen.get(name, _EVERY), form, "sql"),
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql_macros(text, Span(now - seconds, now, 60)).encode()).fetchall()


def gaps(row: Row, settings: Settings, bearable: float) -> list[str]:
    """The columns in which an environment is further from the reference than is bearable."""
    if row["verdict"] != "differs":
        return []
    limits = {"p95_gap": bearable, "errors_gap": settings.thresholds.error_ratio, "cost_gap": bearable}
    return [name for name, limit in limits.items() if row[name] is not None and abs(row[name]) > limit]


def _told(rows: Sequence[Row], form: str, settings: Settings, bearable: float) -> str:
    wide = [{**row, "advice": "; ".join(_ADVICE[name] for name in gaps(row, settings, bearable))} for row in rows]
    if form == "json":
        return json.dumps(wide, indent=2, ensure_ascii=False)
    if form == "csv":
        out = io.StringIO()
        heads = [
            "environment", "p95", "p95_gap", "errors", "errors_gap", "cost", "cost_gap", "executions", "verdict", "advice",
        ]  # fmt: skip
        table = csv.DictWriter(out, heads, lineterminator="\n")
        table.writeheader()
        table.writerows(wide)
        return out.getvalue()
    if not rows:
        return "it executed nothing in this time"
    lines = [f"{'environment':<14}{'p95':>10}{'gap':>8}{'errors':>10}{'gap':>8}{'cost':>12}{'gap':>8}{'executions':>12}"]
    for row in wide:
        marked = dict.fromkeys(gaps(row, settings, bearable), "!")
        cells = (
            _cell(row["p95"], "{:.3f} s", 10), _cell(row["p95_gap"], "{:+.0%}", 8, marked.get("p95_gap", "")),
            _cell(row["errors"], "{:.2%}", 10), _cell(row["errors_gap"], "{:+.1%}", 8, marked.get("errors_gap", "")),
            _cell(row["cost"], "{:.4f} USD", 12), _cell(row["cost_gap"], "{:+.0%}", 8, marked.get("cost_gap", "")),
            _cell(row["executions"], "{:.0f}", 12),
        )  # fmt: skip
        lines.append(f"{row['environment']:<14}{''.join(cells)}  {row['verdict']}")
        lines += [f"  ! {row['advice']}"] if row["advice"] else []
    return "\n".join(lines)


def _cell(value: float | None, pattern: str, width: int, mark: str = "") -> str:
    return f"{'–' if value is None else pattern.format(value) + mark:>{width}}"
