"""The click commands of actions on rows of the database: `regression`, `profile`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click

from provisioning import config as configuration
from provisioning.actions import profiling
from provisioning.actions.audit import recorded
from provisioning.actions.options import CONFIG, DSN_FILE, FORM, act, acting, reason_option
from provisioning.actions.profiling import Profiling
from provisioning.actions.regressions import Judgement, listed
from provisioning.options import format_option


@click.group()
def regression() -> None:
    """Versions that do worse than the one before them.

    \b
    observatory regression list
    observatory regression flag billing 1.4.2 --metric latency --reason "slow since the new prompt"
    observatory regression dismiss billing 1.4.2 --metric latency
    """


def _of_version(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.argument("agent"),
        click.argument("version"),
        click.option("--environment", default="production", show_default=True),
        click.option("--metric", type=click.Choice(["errors", "latency"]), required=True, help="What is worse."),
        reason_option("Why you think so."),
        CONFIG,
    )
    return reduce(lambda made, option: option(made), reversed(options), acting(command))


@regression.command("flag")
@_of_version
def regression_flag(config: Path | None, **given: Any) -> None:
    """Say that a version is worse, and open an incident."""
    _judge(config, given, flagged=True)


@regression.command("dismiss")
@_of_version
def regression_dismiss(config: Path | None, **given: Any) -> None:
    """Say that it is not, and close the incident. What was found by itself is not opened again."""
    _judge(config, given, flagged=False)


def _judge(config: Path | None, given: dict[str, Any], flagged: bool) -> None:
    settings = configuration.chosen(config)
    about = {name: given[name] for name in ("agent", "version", "environment", "metric", "reason")}
    act(Judgement(path=config, flagged=flagged, webhook=settings.actions.incidents.webhook, **about), given)


@regression.command("list")
@DSN_FILE
@FORM
def regression_list(dsn_file: Path | None, form: str) -> None:
    """What was found or flagged, newest first."""
    with recorded(dsn_file) as connection:
        found = listed(connection)
    if form == "json":
        click.echo(json.dumps(found, indent=2, default=str))
        return
    if not found:
        click.echo("no version was found or flagged to do worse")
    for row in found:
        place = " ".join(row[name] for name in ("agent", "version", "environment", "metric"))
        when = f"{row['detected_at']:%Y-%m-%d %H:%M} UTC"
        click.echo(f"{place}: {row['before']:.4g} -> {row['after']:.4g}, {row['state']} ({row['source']}, {when})")


@click.group()
def profile() -> None:
    """Detailed timing of one agent, which ends by itself.

    \b
    observatory profile start billing --for 1h
    observatory profile stop billing
    observatory profile list billing --format csv
    """


@profile.command("start")
@click.argument("agent")
@click.option("--environment", default="production", show_default=True)
@click.option("--for", "length", default="1h", show_default=True, help="How long: 10m, 1h.")
@acting
def profile_start(agent: str, environment: str, length: str, **given: Any) -> None:
    """Ask the platform to profile an agent."""
    act(Profiling(agent, environment, length), given)


@profile.command("stop")
@click.argument("agent")
@click.option("--environment", default="production", show_default=True)
@acting
def profile_stop(agent: str, environment: str, **given: Any) -> None:
    """Stop it before its time."""
    act(Profiling(agent, environment, None), given)


@profile.command("list")
@click.argument("agent", default="")
@DSN_FILE
@format_option("text", "json", "csv")
def profile_list(agent: str, dsn_file: Path | None, form: str) -> None:
    """What was asked and what it found, newest first. CSV has a row for each figure."""
    with recorded(dsn_file) as connection:
        found = profiling.listed(connection, agent)
    if form == "json":
        click.echo(json.dumps(found, indent=2, default=str, ensure_ascii=False))
        return
    if form == "csv":
        click.echo(profiling.sheet(found), nl=False)
        return
    if not found:
        click.echo("no agent was profiled")
    for row in found:
        when = f"{row['scheduled_at']:%Y-%m-%d %H:%M} UTC"
        click.echo(f"{row['agent']} {row['environment']} for {row['length']}: {row['state']} (asked {when})")
        for name, value in profiling.figures(row["result"]):
            click.echo(f"  {name}: {value}")
