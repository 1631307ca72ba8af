"""The options that commands of an administrator have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provisioning.options import config_option, format_option

if TYPE_CHECKING:
    from contract.settings import Settings

CONFIG, FORM = config_option, format_option("text", "json")
DSN_FILE = click.option(
    "--dsn-file",
    type=click.Path(path_type=Path),
    help="File with the administrator's connection string; else OBSERVATORY_POSTGRES_ADMIN_DSN.",
)


def settings_of(path: Path | None) -> Settings:
    """The configuration that a command is given. Raises ConfigError."""
    from provisioning.cli import _settings as settings

    return settings(path)


def dry_run_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option("--dry-run", is_flag=True, help=f"Print {what}, and change nothing.")
