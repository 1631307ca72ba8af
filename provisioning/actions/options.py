"""The options that all actions have, and how an action is performed with what they say."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click

from provisioning.actions.action import Action, Manner, perform
from provisioning.actions.audit import ACTOR_VARIABLE, VARIABLE, actor

DSN_FILE = click.option(
    "--dsn-file", type=click.Path(path_type=Path), help=f"File with the connection string; else {VARIABLE}."
)
FORM = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
_ALL = (
    click.option("--actor", help=f"Who does it.  [env: {ACTOR_VARIABLE}; else your login]"),
    click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing."),
    click.option("--yes", is_flag=True, help="Do not ask."),
    DSN_FILE,
    FORM,
)
CONFIG = click.option(
    "--config", type=click.Path(path_type=Path), envvar="OBSERVATORY_CONFIG", show_envvar=True, help="Configuration file."
)


def acting(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every action has."""
    return reduce(lambda made, option: option(made), reversed(_ALL), command)


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
