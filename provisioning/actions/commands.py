"""The click commands of actions that change the configuration, and of those that mute: `slo`, `budget`, `alert`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import click

from contract.own_alerts import Measure
from provisioning.actions.action import Action
from provisioning.actions.audit import actor, recorded
from provisioning.actions.configured import ALERTS, BUDGETS, SLO, Entry, Item, Listed
from provisioning.actions.options import CONFIG, FORM, act, acting, reason_option
from provisioning.actions.places import of_department


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
@CONFIG
@acting
def slo_set(config: Path | None, name: str, **given: Any) -> None:
    """Make a service level, or change it."""
    act(Entry(config, SLO, name, _item(SLO, name, given)), given)


@slo.command("remove")
@click.argument("name")
@CONFIG
@acting
def slo_remove(config: Path | None, name: str, **given: Any) -> None:
    """Take a service level away, with its rules and alerts."""
    act(Entry(config, SLO, name, None), given)


@slo.command("list")
@CONFIG
@FORM
def slo_list(config: Path | None, form: str) -> None:
    """The service levels that are configured."""
    _list(SLO, config, form)


@click.group()
def budget() -> None:
    """Budgets for model calls in a calendar month, and of time for answers, in the configuration.

    \b
    observatory budget performance finance-answers --department Finance --p95-seconds 2 --team finance \\
        --reason "People wait at the counter."
    observatory budget list
    observatory budget set production --monthly-usd 3000
    observatory budget remove production
    """


@budget.command("set")
@click.argument("scope")
@click.option("--monthly-usd", type=float, required=True, help="Dollars in a calendar month (UTC).")
@CONFIG
@acting
def budget_set(config: Path | None, scope: str, **given: Any) -> None:
    """Set the budget of an environment, or of `all`."""
    act(Entry(config, BUDGETS, scope, _item(BUDGETS, scope, given)), given)


@budget.command("remove")
@click.argument("scope")
@CONFIG
@acting
def budget_remove(config: Path | None, scope: str, **given: Any) -> None:
    """Take a budget away."""
    act(Entry(config, BUDGETS, scope, None), given)


@budget.command("performance")
@click.argument("name")
@click.option("--p95-seconds", type=float, required=True, help="95 of 100 answers come within this: a bucket bound.")
@click.option("--agents", multiple=True, help="Only this agent; may be given several times.")
@click.option("--department", help="The agents of a department, as the platform's rows say now.")
@click.option("--environments", multiple=True, help="Only this environment; may be given several times.")
@click.option("--team", required=True, help="Whose it is.")
@click.option("--reason", required=True, help="What is promised, in a sentence.")
@CONFIG
@acting
def budget_performance(
    config: Path | None, name: str, p95_seconds: float, agents: tuple[str, ...], department: str | None,
    environments: tuple[str, ...], team: str, reason: str, **given: Any,
) -> None:  # fmt: skip
    """Set a budget of time for agents: of 100 answers 5 may take longer. It is a service level, and is taken away as one."""
    if bool(agents) == bool(department):
        raise click.UsageError("name --agents, or a --department")
    if department:
        with recorded(given["dsn_file"]) as connection:
            agents = of_department(connection, department)
    level = {
        "sli": "latency", "objective": 95, "target_seconds": p95_seconds, "agents": agents, "environments": environments,
        "team": team, "description": reason,
    }  # fmt: skip
    act(Entry(config, SLO, name, _item(SLO, name, level)), given)


@budget.command("list")
@CONFIG
@FORM
def budget_list(config: Path | None, form: str) -> None:
    """The budgets that are configured."""
    _list(BUDGETS, config, form)


_MANNERS = ("actor", "dry_run", "yes", "dsn_file", "form")


def _item(listed: Listed, name: str, given: dict[str, Any]) -> Item:
    """The entry as YAML: only what was said. Whole numbers are written as such."""
    said = {
        key: value for key, value in given.items() if key not in _MANNERS and value is not False and value not in (None, ())
    }
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
    if not items:
        click.echo(f"no {listed.noun} is configured")
    for item in items:
        rest = ", ".join(_told(key, value) for key, value in item.items() if key != listed.key)
        click.echo(f"{item[listed.key]}: {rest}")


def _told(key: str, value: Any) -> str:
    if value is True:
        return key
    return f"{key} {' '.join(map(str, value)) if isinstance(value, list | tuple) else value}"


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
@CONFIG
@acting
def alert_create(config: Path | None, name: str, **given: Any) -> None:
    """Make an alert on agents, or change it."""
    act(Entry(config, ALERTS, name, _item(ALERTS, name, given)), given)


@alert.command("remove")
@click.argument("name")
@CONFIG
@acting
def alert_remove(config: Path | None, name: str, **given: Any) -> None:
    """Take an alert of your own away."""
    act(Entry(config, ALERTS, name, None), given)


@alert.command("list")
@CONFIG
@FORM
def alert_list(config: Path | None, form: str) -> None:
    """The alerts of your own."""
    _list(ALERTS, config, form)


_where = click.option("--where", multiple=True, metavar="LABEL=VALUE", help="Only where a label has this value.")


@alert.command("mute")
@click.argument("name")
@_where
@click.option("--for", "length", required=True, help="How long: 30m, 2h; at most 7d.")
@reason_option("Why; whoever looks at night wants to know.", required=True)
@CONFIG
@acting
def alert_mute(name: str, where: tuple[str, ...], length: str, reason: str, config: Path | None, **given: Any) -> None:
    """Tell nobody of an alert for a while. It still fires, and stands on the dashboards."""
    act(_mute(name, where, length, reason, config, given), given)


@alert.command("unmute")
@click.argument("name")
@_where
@reason_option("Why.")
@CONFIG
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
    chosen = {label: value for label, _, value in pairs}
    return Mute(path, config.chosen(path), name, chosen, length, reason, actor(given["actor"]))
