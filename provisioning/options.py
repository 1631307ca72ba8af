"""The options that many commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

config_option: Decorator = click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="OBSERVATORY_CONFIG",
    show_envvar=True,
    help="Configuration file. Without it: ./observatory.yaml or ./observatory.jsonnet, else the defaults.",
)


def format_option(*forms: str) -> Decorator:
    """`--format`, given as `form`; the first of the forms is the default."""
    return click.option(
        "--format", "form", type=click.Choice(forms), default=forms[0], show_default=True, help="For people or for machines."
    )
