"""The click commands of actions."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, get_args

import click

from contract.own_alerts import Measure
from provisioning.actions.action import Action, Manner, perform
from provisioning.actions.audit import ACTOR_VARIABLE, VARIABLE, actor, recorded
from provisioning.actions.configured import ALERTS, BUDGETS, SLO, Entry, Item, Listed
from provisioning.actions.profiling import Profiling
from provisioning.actions.regressions import Judgement, listed

_dsn_file = click.option(
    "--dsn-file", type=click.Path(path_type=Path), help=f"File with the connection string; else {VARIABLE}."
)
_form = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
_COMMON = (
    click.option("--actor", help=f"Who does it.  [env: {ACTOR_VARIABLE}; else your login]"),
    click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing."),
    click.option("--yes", is_flag=True, help="Do not ask."),
    _dsn_file,
    _form,
)
_config = click.option(
    "--config", type=click.Path(path_type=Path), envvar="OBSERVATORY_CONFIG", show_envvar=True, help="Configuration file."
)


def acting(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every action has."""
    return reduce(lambda made, option: option(made), reversed(_COMMON), command)


def act(action: Action, given: dict[str, Any]) -> None:
    """Performs an action in the manner that the common options say."""
    manner = Manner(
        actor=actor(given["actor"]), dry_run=given["dry_run"], yes=given["yes"], form=given["form"],
        dsn_file=given["dsn_file"], say=click.echo, ask=_asked,
    )  # fmt: skip
    perform(action, manner)


def _asked(question: str) -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked: say --yes, or --dry-run to see what would change")
    return click.confirm(question, err=True)


@click.group()
def slo() -> None:
    """Service levels, in the configuration.

    \b
    observatory slo list
    observatory slo set billing-in-time --sli latency --agents billing --target-seconds 5 --objective 95 \\
        --team agents --description "Billing answers within five seconds."
    observatory slo remove billing-in-time
    """


@slo.command("set")
@click.argument("name")
@click.option("--sli", required=True, help="What is measured: latency, errors, success, availability, …")
@click.option("--objective", type=float, help="Per cent that has to be good.")
@click.option("--target-seconds", type=float, help="For times: a bucket bound of its histogram.")
@click.option("--budget-usd", type=float, help="For money: dollars for the whole window.")
@click.option("--agents", multiple=True, help="Only this agent; may be given several times.")
@click.option("--models", multiple=True, help="Only this model; may be given several times.")
@click.option("--each", is_flag=True, help="Each agent or model alone, not all together.")
@click.option("--environments", multiple=True, help="Only this environment; may be given several times.")
@click.option("--window-days", type=int, help="Days over which it counts.  [30]")
@click.option("--team", required=True, help="Whose it is.")
@click.option("--description", required=True, help="What is promised, in a sentence.")
@_config
@acting
def slo_set(config: Path | None, name: str, **given: Any) -> None:
    """Make a service level, or change it."""
    act(Entry(config, SLO, name, _item(SLO, name, given)), given)


@slo.command("remove")
@click.argument("name")
@_config
@acting
def slo_remove(config: Path | None, name: str, **given: Any) -> None:
    """Take a service level away, with its rules and alerts."""
    act(Entry(config, SLO, name, None), given)


@slo.command("list")
@_config
@_form
def slo_list(config: Path | None, form: str) -> None:
    """The service levels that are configured."""
    _list(SLO, config, form)


@click.group()
def budget() -> None:
    """Budgets for model calls in a calendar month, in the configuration.

    \b
    observatory budget list
    observatory budget set production --monthly-usd 3000
    observatory budget remove production
    """


@budget.command("set")
@click.argument("scope")
@click.option("--monthly-usd", type=float, required=True, help="Dollars in a calendar month (UTC).")
@_config
@acting
def budget_set(config: Path | None, scope: str, **given: Any) -> None:
    """Set the budget of an environment, or of `all`."""
    act(Entry(config, BUDGETS, scope, _item(BUDGETS, scope, given)), given)


@budget.command("remove")
@click.argument("scope")
@_config
@acting
def budget_remove(config: Path | None, scope: str, **given: Any) -> None:
    """Take a budget away."""
    act(Entry(config, BUDGETS, scope, None), given)


@budget.command("list")
@_config
@_form
def budget_list(config: Path | None, form: str) -> None:
    """The budgets that are configured."""
    _list(BUDGETS, config, form)


_MANNERS = ("actor", "dry_run", "yes", "dsn_file", "form")


def _item(listed: Listed, name: str, given: dict[str, Any]) -> Item:
    """The entry as YAML: only what was said. Whole numbers are written as such."""
    said = {key: value for key, value in given.items() if key not in _MANNERS and value not in (None, (), False)}
    return {listed.key: name, **{key: _plain(value) for key, value in said.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _list(listed: Listed, path: Path | None, form: str) -> None:
    from provisioning import config

    items = listed.standing(config.chosen(path))
    if form == "json":
        click.echo(json.dumps(items, indent=2, ensure_ascii=False))
        return
    for item in items:
        rest = ", ".join(f"{key} {value}" for key, value in item.items() if key != listed.key)
        click.echo(f"{item[listed.key]}: {rest}")


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
        click.option("--reason", default="", help="Why you think so."),
    )
    return reduce(lambda made, option: option(made), reversed(options), acting(command))


@regression.command("flag")
@_of_version
def regression_flag(agent: str, version: str, environment: str, metric: Any, reason: str, **given: Any) -> None:
    """Say that a version is worse, and open an incident."""
    act(Judgement(agent, version, environment, metric, reason, True), given)


@regression.command("dismiss")
@_of_version
def regression_dismiss(agent: str, version: str, environment: str, metric: Any, reason: str, **given: Any) -> None:
    """Say that it is not, and close the incident. What was found by itself is not opened again."""
    act(Judgement(agent, version, environment, metric, reason, False), given)


@regression.command("list")
@_dsn_file
@_form
def regression_list(dsn_file: Path | None, form: str) -> None:
    """What was found or flagged, newest first."""
    with recorded(dsn_file) as connection:
        found = listed(connection)
    if form == "json":
        click.echo(json.dumps(found, indent=2, default=str))
        return
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


@click.group()
def alert() -> None:
    """Alerts of your own, in the configuration; and any alert muted for a while.

    \b
    observatory alert create BillingSlow --measure latency --above 5 --agents billing --team finance \\
        --reason "Customers leave when an invoice takes this long."
    observatory alert remove BillingSlow
    observatory alert mute AgentErrorRatioHigh --where agent=billing --for 2h --reason "known, rollback at six"
    observatory alert unmute AgentErrorRatioHigh --where agent=billing
    """


@alert.command("create")
@click.argument("name")
@click.option("--measure", type=click.Choice(get_args(Measure)), required=True, help="What is looked at, over five minutes.")
@click.option("--above", type=float, required=True, help="Seconds (a bucket bound), a share of queries, or queries per second.")
@click.option("--agents", multiple=True, help="Only this agent; may be given several times.")
@click.option("--hold", help="How long it has to be so.  [5m]")
@click.option("--severity", type=click.Choice(["warning", "critical"]), help="How bad.  [warning]")
@click.option("--team", required=True, help="Who is told, in its Slack channel and by mail.")
@click.option("--reason", required=True, help="Why; it stands in the message.")
@_config
@acting
def alert_create(config: Path | None, name: str, **given: Any) -> None:
    """Make an alert on agents, or change it."""
    act(Entry(config, ALERTS, name, _item(ALERTS, name, given)), given)


@alert.command("remove")
@click.argument("name")
@_config
@acting
def alert_remove(config: Path | None, name: str, **given: Any) -> None:
    """Take an alert of your own away."""
    act(Entry(config, ALERTS, name, None), given)


@alert.command("list")
@_config
@_form
def alert_list(config: Path | None, form: str) -> None:
    """The alerts of your own."""
    _list(ALERTS, config, form)


_where = click.option("--where", multiple=True, metavar="LABEL=VALUE", help="Only where a label has this value.")


@alert.command("mute")
@click.argument("name")
@_where
@click.option("--for", "length", required=True, help="How long: 30m, 2h; at most 7d.")
@click.option("--reason", required=True, help="Why; whoever looks at night wants to know.")
@_config
@acting
def alert_mute(name: str, where: tuple[str, ...], length: str, reason: str, config: Path | None, **given: Any) -> None:
    """Tell nobody of an alert for a while. It still fires, and stands on the dashboards."""
    act(_mute(name, where, length, reason, config, given), given)


@alert.command("unmute")
@click.argument("name")
@_where
@click.option("--reason", default="", help="Why.")
@_config
@acting
def alert_unmute(name: str, where: tuple[str, ...], reason: str, config: Path | None, **given: Any) -> None:
    """Tell people of it again."""
    act(_mute(name, where, None, reason, config, given), given)


def _mute(
    name: str, where: tuple[str, ...], length: str | None, reason: str, path: Path | None, given: dict[str, Any]
) -> Action:
    from provisioning import config
    from provisioning.actions.muting import Mute

    pairs = [pair.partition("=") for pair in where]
    if odd := [f"{label}{sign}{value}" for label, sign, value in pairs if not (label and value)]:
        raise click.UsageError(f"--where {odd[0]}: write LABEL=VALUE")
    return Mute(config.chosen(path), name, {label: value for label, _, value in pairs}, length, reason, actor(given["actor"]))
