"""The click commands of load tests: `loadtest`."""

from __future__ import annotations

import json
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from provisioning import config as configuration
from provisioning.actions.audit import ACTOR_VARIABLE, actor, recorded
from provisioning.actions.load_run import Ran, run, take
from provisioning.actions.load_tests import AT_ONCE, LoadTest, Wanted, listed
from provisioning.actions.options import CONFIG, DSN_FILE, FORM, act, acting
from provisioning.findings import InputError


@click.group()
def loadtest() -> None:
    """Load on the configured target of an environment: so many requests a second, for so long, and what came of it.

    \b
    observatory loadtest schedule billing --environment staging --per-second 5 --for 1m --at-once 10
    observatory loadtest run
    observatory loadtest list
    observatory loadtest cancel billing --environment staging
    """


_ENVIRONMENT = click.option("--environment", default="staging", show_default=True)


@loadtest.command("schedule")
@click.argument("agent")
@_ENVIRONMENT
@click.option("--per-second", type=float, required=True, help="Requests in a second.")
@click.option("--for", "length", required=True, help="How long: 30s, 5m.")
@click.option("--at-once", type=int, help="How many may wait for an answer.  [10, or what the target allows]")
@click.option("--at", default="", metavar="TIME", help="Not before, such as 2026-01-31T03:00:00Z.  [when it is run]")
@click.option("--people-notice", is_flag=True, help="Also in an environment that may wake people.")
@CONFIG
@acting
def schedule(
    agent: str, environment: str, per_second: float, length: str, at_once: int | None, at: str, people_notice: bool,
    config: Path | None, **given: Any,
) -> None:  # fmt: skip
    """Schedule a test, in place of one that still waits. `run` does it when its time has come."""
    settings = configuration.chosen(config)
    if at_once is None:
        at_once = min(
            [AT_ONCE, *(target.at_once for target in settings.load_tests.targets if target.environment == environment)]
        )
    wanted = Wanted(per_second, length, at_once, _moment(at))
    act(LoadTest(config, settings, agent, environment, wanted, people_notice), given)


@loadtest.command("cancel")
@click.argument("agent")
@_ENVIRONMENT
@CONFIG
@acting
def cancel(agent: str, environment: str, config: Path | None, **given: Any) -> None:
    """Cancel a test that waits, or end one that runs."""
    act(LoadTest(config, configuration.chosen(config), agent, environment, None), given)


@loadtest.command("run")
@CONFIG
@click.option("--actor", "who", help=f"Who does it.  [env: {ACTOR_VARIABLE}; else your login]")
@DSN_FILE
@FORM
def run_due(config: Path | None, who: str | None, dsn_file: Path | None, form: str) -> None:
    """Run the tests whose time has come, for a timer. Ctrl-C ends the one that runs, and keeps what it found.

    Ends with 1 when a test failed, was ended, or broke a service level.
    """
    settings, name, stop = configuration.chosen(config), actor(who), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    found: list[Ran] = []
    with recorded(dsn_file) as connection:
        while not stop.is_set() and (test := take(connection, name)) is not None:
            ran = run(connection, settings, test, name, stop)
            found.append(ran)
            if form == "text":
                click.echo(_told(test.agent, test.params, ran.state, ran.result))
            if ran.told:
                click.echo(ran.told, err=True)
    if form == "json":
        told = [{"agent": ran.test.agent, "params": ran.test.params, "state": ran.state, "result": ran.result} for ran in found]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    elif not found:
        click.echo("no test was due")
    if not all(ran.fine for ran in found):
        raise SystemExit(1)


@loadtest.command("list")
@DSN_FILE
@FORM
def list_tests(dsn_file: Path | None, form: str) -> None:
    """The last tests, newest first."""
    with recorded(dsn_file) as connection:
        found = listed(connection)
    if form == "json":
        click.echo(json.dumps(found, indent=2, default=str, ensure_ascii=False))
        return
    if not found:
        click.echo("no load test was scheduled")
    for row in found:
        click.echo(
            f"{row['scheduled_at']:%Y-%m-%d %H:%M} UTC {_told(row['agent'], row['params'], row['state'], row['result'])}"
        )


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise InputError(f"error: --at {text[:40]}: write a time such as 2026-01-31T03:00:00Z") from None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def _told(agent: str, params: dict[str, Any], state: str, result: dict[str, Any] | None) -> str:
    asked = f"{agent} {params['environment']}: {params['per_second']:g} a second for {params['for']}, {state}"
    if not result:
        return asked
    if "problem" in result:
        return f"{asked}: {result['problem']}"
    times = "" if result["p50"] is None else f", p50 {result['p50']:g} s, p95 {result['p95']:g} s, p99 {result['p99']:g} s"
    levels = "".join(
        f"\n  {level['name']}: {level['good_percent']:g} % good, {level['objective']:g} % wanted"
        + ("" if level["kept"] else ": not kept")
        for level in result["service_levels"]
    )
    left = f", {result['not_sent']} not sent" if result["not_sent"] else ""
    counted = f"{result['requests']} requests, {result['errors']} errors{left}, {result['per_second']:g} a second"
    return f"{asked}: {counted}{times}{levels}"
