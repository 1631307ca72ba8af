"""The command `observatory capacity`."""

from __future__ import annotations

from pathlib import Path

import click

from provisioning.capacity.fleet import Fleet

_DEFAULT = Fleet()


def _count(name: str, help_: str, most: int = 10_000_000) -> click.Option:
    default = getattr(_DEFAULT, name)
    return click.Option(
        [f"--{name.replace('_', '-')}"], type=click.IntRange(1, most), default=default, show_default=True, help=help_
    )


def _run(config: Path | None, form: str, **sizes: int) -> None:
    from alert_rules import rules as alerting
    from provisioning import config as configuration
    from provisioning.capacity import cost, report
    from recording_rules import registry

    settings = configuration.chosen(config)
    fleet = Fleet(**{"environments": len(settings.environments), **{key: value for key, value in sizes.items() if value}})
    found = cost.estimate(fleet, [*registry.rule_groups(settings), *alerting.rule_groups(settings)], settings)
    click.echo(report.as_json(found) if form == "json" else report.as_text(found))


capacity = click.Command(
    "capacity",
    callback=_run,
    params=[
        _count("agents", "Agents."),
        _count("models", "Models, of all providers."),
        _count("tools", "Tools, of all agents."),
        _count("users", "Persons; they are rows, never series."),
        click.Option(["--environments"], type=click.IntRange(1, 100), help="Without it: those of the configuration."),
        _count("versions", "Versions of an agent that have series at a time.", 1000),
        _count("processes", "Processes that expose the platform's metrics, in each environment.", 100_000),
        _count("exporters", "Replicas of our exporter.", 1000),
        _count("tools_of_agent", "Tools that one agent uses.", 10_000),
        _count("models_of_agent", "Models that one agent uses.", 10_000),
        _count("dependencies_of_agent", "What one agent waits for.", 10_000),
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            envvar="OBSERVATORY_CONFIG",
            show_envvar=True,
            help="Configuration file. Without it: ./observatory.yaml when there is one, else the defaults.",
        ),
        click.Option(
            ["--format", "form"],
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="For people or for machines.",
        ),
    ],
    help="""Say what a platform of this size needs.

    How many series it has, what they cost, and what to run for them.

    \b
    observatory capacity --agents 1000
    observatory capacity --agents 10000 --models 40 --processes 20 --format json
    """,
)
