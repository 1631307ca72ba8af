"""`observatory config`: the configuration itself, explained."""

from __future__ import annotations

import json
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from provisioning.options import config_option, format_option

_format = format_option("text", "json")


@click.group()
def config() -> None:
    """What the configuration says, and what its keys do.

    \b
    observatory config explain thresholds.error_ratio
    observatory --overlay production config show --changed
    observatory config schema > observatory.schema.json
    """


@config.command()
def schema() -> None:
    """Print the shape of the configuration as JSON Schema, for editors.

    \b
    observatory config schema > observatory.schema.json
    """
    from provisioning.configuration.schema import schema as shape
    from provisioning.text import as_json

    click.echo(as_json(shape()).decode(), nl=False)


def _keys(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    from provisioning.configuration.schema import all_keys

    return [CompletionItem(key) for key in all_keys() if key.startswith(begun)]


@config.command()
@click.argument("key", shell_complete=_keys)
@config_option
@click.option("--files", is_flag=True, help="Say which files of the build another value would change; it takes some seconds.")
@_format
def explain(key: str, config: Path | None, files: bool, form: str) -> None:
    """Say what KEY does, what it may be, its default, what it is now, and where that was said.

    \b
    observatory config explain thresholds.error_ratio
    observatory config explain slo.objective
    observatory config explain --files sources.grafana.url
    """
    from provisioning.configuration import effective
    from provisioning.configuration.explain import explain as explanation
    from provisioning.configuration.files_changed import files_changed

    found = effective.read(config)
    said = explanation(key, found)
    change = files_changed(said.key, found) if files else None
    if form == "json":
        click.echo(
            json.dumps({**said.as_json(), **({"files": change.as_json()} if change else {})}, indent=2, ensure_ascii=False)
        )
    else:
        click.echo("\n".join([said.as_text(), *([change.as_text()] if change else [])]))


@config.command()
@config_option
@click.option("--changed", is_flag=True, help="Only what is not at its default.")
@_format
def show(config: Path | None, changed: bool, form: str) -> None:
    """Print the configuration as it counts, every value with the file and line that it comes from.

    \b
    observatory config show
    observatory --overlay production config show --changed
    """
    from provisioning.configuration import effective
    from provisioning.configuration import show as showing

    found = effective.read(config)
    click.echo(showing.as_json(found, changed) if form == "json" else showing.as_yaml(found, changed))
