"""The click commands of what the platform is asked to be configured with: `configure`, `cache`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from provisioning.actions.audit import recorded
from provisioning.actions.configuring import CACHE, Setting, listed, parsed, told_value
from provisioning.actions.lengths import seconds_within
from provisioning.actions.options import DSN_FILE, FORM, act, acting, reason_option
from provisioning.findings import InputError

SHORTEST, LONGEST = "1s", "30d"
_ENVIRONMENT = click.option("--environment", default="production", show_default=True)
_REASON = reason_option("Why.")


@click.group()
def configure() -> None:
    """What agents are configured with. The platform takes it over, and says what it made of it.

    \b
    observatory configure list billing
    observatory configure set billing timeout_seconds 20 --reason "the slowest answer that anybody waited for took 17 s"
    observatory configure unset billing timeout_seconds
    """


@configure.command("set", context_settings={"ignore_unknown_options": True})  # -1 is a value
@click.argument("agent")
@click.argument("setting")
@click.argument("value")
@_ENVIRONMENT
@_REASON
@acting
def configure_set(agent: str, setting: str, value: str, environment: str, reason: str, **given: Any) -> None:
    """Ask for a value: a number, true, false, or a word."""
    if setting.startswith(CACHE):
        raise InputError(f"error: {setting}: use `observatory cache set {agent} --ttl 10m`")
    act(Setting(agent, environment, setting, parsed(value), reason), given)


@configure.command("unset")
@click.argument("agent")
@click.argument("setting")
@_ENVIRONMENT
@_REASON
@acting
def configure_unset(agent: str, setting: str, environment: str, reason: str, **given: Any) -> None:
    """Ask for what the platform takes by itself."""
    act(Setting(agent, environment, setting, None, reason), given)


@configure.command("list")
@click.argument("agent", default="")
@DSN_FILE
@FORM
def configure_list(agent: str, dsn_file: Path | None, form: str) -> None:
    """What was asked for, and what is in force."""
    _list(agent, "", dsn_file, form)


@click.group()
def cache() -> None:
    """How long an agent's answers, prompts or embeddings are kept, and what drops them.

    \b
    observatory cache list
    observatory cache set billing --ttl 1h --invalidate-on deployment
    observatory cache off billing
    observatory cache reset billing
    """


_KIND = click.option(
    "--kind", type=click.Choice(["response", "prompt", "embedding"]), default="response", show_default=True, help="Which cache."
)


@cache.command("set")
@click.argument("agent")
@click.option("--ttl", required=True, help="How long an entry is kept: 30s, 10m, 1h.")
@click.option(
    "--invalidate-on",
    type=click.Choice(["deployment", "document"]),
    multiple=True,
    help="What drops entries before: a new version of the agent, a changed document. May be given twice.",
)
@_KIND
@_ENVIRONMENT
@_REASON
@acting
def cache_set(
    agent: str, ttl: str, invalidate_on: tuple[str, ...], kind: str, environment: str, reason: str, **given: Any
) -> None:
    """Keep entries for a time."""
    seconds = seconds_within("--ttl", ttl, SHORTEST, LONGEST)
    kept = {"ttl_seconds": round(seconds), "invalidate_on": sorted(set(invalidate_on))}
    _ask_cache(agent, kind, environment, kept, reason, given)


@cache.command("off")
@click.argument("agent")
@_KIND
@_ENVIRONMENT
@_REASON
@acting
def cache_off(agent: str, kind: str, environment: str, reason: str, **given: Any) -> None:
    """Keep nothing."""
    _ask_cache(agent, kind, environment, {"ttl_seconds": 0, "invalidate_on": []}, reason, given)


@cache.command("reset")
@click.argument("agent")
@_KIND
@_ENVIRONMENT
@_REASON
@acting
def cache_reset(agent: str, kind: str, environment: str, reason: str, **given: Any) -> None:
    """Keep entries as the platform does by itself."""
    _ask_cache(agent, kind, environment, None, reason, given)


@cache.command("list")
@click.argument("agent", default="")
@DSN_FILE
@FORM
def cache_list(agent: str, dsn_file: Path | None, form: str) -> None:
    """What was asked for, and what is in force."""
    _list(agent, CACHE, dsn_file, form)


def _ask_cache(agent: str, kind: str, environment: str, value: Any, reason: str, given: dict[str, Any]) -> None:
    act(Setting(agent, environment, f"{CACHE}{kind}", value, reason), given)


def _list(agent: str, prefix: str, dsn_file: Path | None, form: str) -> None:
    with recorded(dsn_file) as connection:
        found = listed(connection, agent, prefix)
    if form == "json":
        click.echo(json.dumps(found, indent=2, default=str, ensure_ascii=False))
        return
    if not found:
        click.echo("nothing was asked for, and the platform tells of no setting")
    for row in found:
        place = " ".join(row[name] for name in ("agent", "environment", "setting"))
        force = "" if row["observed"] is None else f" {told_value(row['observed'])}"
        if row["version"] is None:
            click.echo(f"{place}:{force}, the platform's own")
            continue
        wish = "the platform's own" if row["desired"] is None else told_value(row["desired"])
        because = f": {row['said']}" if row["said"] else ""
        click.echo(f"{place}:{force}; asked for: {wish} (version {row['version']}, {row['state']}{because})")
