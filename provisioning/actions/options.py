"""The options that all actions have, and how an action is performed with what they say."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from typing import Any

import click

from provisioning.actions.action import Action, Manner, perform
from provisioning.actions.audit import ACTOR_VARIABLE, VARIABLE, actor
from provisioning.ending import NOBODY
from provisioning.findings import InputError
from provisioning.options import config_option, format_option

DSN_FILE = click.option(
    "--dsn-file", type=click.Path(path_type=Path), help=f"File with the connection string; else {VARIABLE}."
)
CONFIG, FORM = config_option, format_option("text", "json")
_ALL = (
    click.option("--actor", help=f"Who does it.  [env: {ACTOR_VARIABLE}; else your login]"),
    click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing."),
    click.option("--yes", is_flag=True, help="Do not ask."),
    DSN_FILE,
    FORM,
)


LONGEST_REASON = 200
"""Letters: dashboards show it in a cell."""


def reason_option(text: str, required: bool = False) -> Callable[..., Any]:
    """Why somebody does it."""

    def bounded(_: click.Context, __: click.Parameter, said: str) -> str:
        if len(said) > LONGEST_REASON:
            raise InputError(f"error: --reason has {len(said)} letters; at most {LONGEST_REASON} are shown")
        return said

    given: dict[str, Any] = {"required": True} if required else {"default": ""}
    return click.option("--reason", callback=bounded, help=text, **given)


def acting(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every action has."""
    return reduce(lambda made, option: option(made), reversed(_ALL), command)


def act(action: Action, given: dict[str, Any]) -> None:
    """Performs an action in the manner that the common options say."""
    manner = Manner(
        actor=actor(given["actor"]), dry_run=given["dry_run"], yes=given["yes"], form=given["form"],
        dsn_file=given["dsn_file"], say=click.echo, aside=partial(click.echo, err=True), ask=_asked,
    )  # fmt: skip
    perform(action, manner)


def _asked(question: str) -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError(NOBODY)
    return click.confirm(question, err=True)
