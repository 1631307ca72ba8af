"""The click commands of advice: what fixed rules found is listed, and what it says to set is asked for: `advice`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import click

from provisioning.actions.audit import Connection, recorded
from provisioning.actions.configuring import Setting, parsed
from provisioning.actions.options import DSN_FILE, FORM, act, acting
from provisioning.findings import InputError
from provisioning.text import rounded

_LISTED = """
SELECT id, kind, agent, environment, subject, what, why, setting, before, after, effect, low, high, unit, p_value,
       not_considered, found_at
FROM analytics.advice WHERE %(agent)s IN ('', agent) ORDER BY unit, place LIMIT 200
"""
_ONE = """
SELECT agent, environment, setting, after, what, why, effect, low, high, unit FROM analytics.advice WHERE id = %s
"""
_IDS = "SELECT id FROM analytics.advice WHERE setting <> '' ORDER BY unit, place LIMIT 20"


class Found(NamedTuple):
    """One piece of advice. `effect` is what it would gain in 30 days, with `low` and `high` at 95 of 100."""

    agent: str
    environment: str
    setting: str
    after: str
    what: str
    why: str
    effect: float
    low: float
    high: float
    unit: str


@click.group()
def advice() -> None:
    """What could be cheaper or quicker, by fixed rules over what happened, and how sure that is.

    \b
    observatory advice list
    observatory advice apply 3f1c9a27 --dry-run
    """


@advice.command("list")
@click.argument("agent", default="")
@DSN_FILE
@FORM
def advice_list(agent: str, dsn_file: Path | None, form: str) -> None:
    """What was found, the surest large effect first."""
    with recorded(dsn_file) as connection:
        rows = connection.execute(_LISTED, {"agent": agent})
        names = [column.name for column in rows.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    if form == "json":
        click.echo(json.dumps(found, indent=2, default=str, ensure_ascii=False))
        return
    if not found:
        click.echo("there is no advice: nothing was found that chance does not explain")
    for row in found:
        gain = _gain(row["effect"], row["low"], row["high"], row["unit"])
        click.echo(f"{row['id']} {row['agent']} {row['environment']}: {row['what']}\n  why: {row['why']}\n  gains: {gain}")
        click.echo(f"  not considered: {row['not_considered']}")
        if row["setting"]:
            click.echo(f"  sets: {row['setting']} from {row['before']} to {row['after']}")


@advice.command("apply")
@click.argument("number", metavar="ID")
@acting
def advice_apply(number: str, **given: Any) -> None:
    """Ask the platform to set what an advice says. What it made of it: `observatory configure list`."""
    with recorded(given["dsn_file"]) as connection:
        found = _one(connection, number)
    said = (
        f"why: {found.why}",
        f"should gain: {_gain(found.effect, found.low, found.high, found.unit)}",
        "better tried on a part of the requests first, beside the rest as it is",
    )
    evidence = {"advice": number, **{name: getattr(found, name) for name in ("why", "effect", "low", "high", "unit")}}
    act(
        Setting(found.agent, found.environment, found.setting, parsed(found.after), found.what, said, evidence, "advice apply"),
        given,
    )


def _one(connection: Connection, number: str) -> Found:
    row = connection.execute(_ONE, (number,)).fetchone()
    if row is None:
        known = ", ".join(name for (name,) in connection.execute(_IDS).fetchall())
        raise InputError(f'error: there is no advice "{number}"; with something to set there is: {known or "none"}')
    found = Found(*row)
    if not found.setting:
        raise InputError(f"error: the advice {number} sets nothing: {found.what}")
    return found


def _gain(effect: float, low: float, high: float, unit: str) -> str:
    name = {"currencyUSD": "USD", "s": "seconds"}.get(unit, unit)
    return f"{rounded(effect)} {name} in 30 days ({rounded(low)} to {rounded(high)})"
