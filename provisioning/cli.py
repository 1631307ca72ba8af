"""The command `observatory`. Modules are imported by the command that needs them, so that each starts fast."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provisioning.actions import ACTIONS
from provisioning.backup import commands as backing
from provisioning.capacity.commands import capacity
from provisioning.configuration.commands import config as configuration
from provisioning.ending import FINDINGS, HELP, UNREACHABLE, Commands, say
from provisioning.findings import InputError
from provisioning.options import config_option, format_option
from provisioning.plan import commands as planning
from provisioning.short_lived import short_lived

if TYPE_CHECKING:
    from contract.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
RUNNING_CONFIG = ROOT / "var" / "observatory.yaml"
"""The effective configuration of the local stack while it runs."""


@click.group(cls=Commands, context_settings={"help_option_names": HELP, "max_content_width": 100})
@click.option(
    "--overlay",
    "overlays",
    multiple=True,
    help="Lay overlays/NAME.yaml, beside the configuration, over it; several in this order.  [env: OBSERVATORY_OVERLAY]",
)
@click.pass_context
def main(ctx: click.Context, overlays: tuple[str, ...]) -> None:
    """Monitoring as code for platforms that run AI agents.

    \b
    observatory up                     everything on this machine, alive
    observatory build                  write dashboards, rules, routes, runbooks to build/
    observatory check                  prove them without any server
    observatory doctor                 hold every query against the live sources
    observatory plan                   what an apply would change on the servers
    observatory apply                  change exactly that
    observatory capacity               what a platform of a given size needs
    observatory db install             count in the platform's own database
    observatory rules backtest         when alerts would have fired over the last days
    observatory demo incident errors   let the synthetic platform have an incident

    Exit codes: 0 fine, 1 findings, 2 wrong input, 3 something could not be reached.
    """
    short_lived()
    if overlays:
        from provisioning import config

        ctx.with_resource(config.overlaid(overlays))


_format_option = format_option("text", "json")


def _settings(path: Path | None) -> Settings:
    from provisioning import config

    if path is not None and path.absolute() == RUNNING_CONFIG:
        return config.with_environment(config.load(path))  # it is what the overlays made already
    return config.chosen(path)


@main.command()
@config_option
@click.option("--out", type=click.Path(), default="build", show_default=True, help="Folder to write to.")
@_format_option
def build(config: Path | None, out: str, form: str) -> None:
    """Write everything that the servers read.

    Files of an earlier build that are no longer needed are removed; files that build did not write are left alone.

    \b
    observatory build
    observatory build --config site.yaml --out /srv/observatory
    """
    from provisioning import build as builder
    from provisioning.files import refuse_no_folder

    if not out:
        raise InputError("error: --out is empty; name a folder, for example --out build")
    settings = _settings(config)
    refuse_no_folder(Path(out))
    artefacts = builder.artefacts(settings)
    builder.write(artefacts, Path(out))
    if form == "json":
        import json

        say(json.dumps({"out": out, "files": list(artefacts)}, indent=2))
    else:
        say(f"{len(artefacts)} files in {out}")


@main.command()
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    help="For people, for machines, for code scanning, or as annotations of GitHub Actions.",
)
@click.option(
    "--changed-since", default="", metavar="REV", help="Only what is new since a revision of git; the rest is counted."
)
@click.option(
    "--scenarios",
    type=click.Choice(["changed", "all", "none"]),
    default="changed",
    show_default=True,
    help="Which stories of alerts promtool proves: those that have not passed as they are, every one, or none.",
)
@click.option(
    "--database", is_flag=True, help="Let the live database prepare every query, with the panels' login; it runs none."
)
@click.option("--out", type=click.Path(path_type=Path), help="Write what was built to this folder, when no error is in it.")
def check(config: Path | None, form: Any, changed_since: str, scenarios: Any, database: bool, out: Path | None) -> None:
    """Prove the artefacts without any server.

    Dashboards, PromQL and SQL against the contract, rules, routes, links; promtool and amtool too where they are installed.
    docs/checks.md says of each check what it finds and why.

    \b
    observatory check
    observatory check --out build
    observatory check --changed-since origin/main --format github
    observatory check --format json | jq '.findings[].place'
    """
    from provisioning.check.command import Asked
    from provisioning.check.command import check as examine
    from provisioning.configuration.layers import default_file

    asked = Asked(form, scenarios, changed_since, database, config or default_file(), out)
    text, code = examine(lambda: _settings(config), asked, lambda sentence: say(sentence, err=True))
    say(text)
    raise SystemExit(code)


@main.command()
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file.  [env: OBSERVATORY_CONFIG]")
@click.option("--tab", help="Only the panels and variables of one dashboard, by its key.")
@click.option(
    "--suggest", is_flag=True, help="Say under which names the platform's metrics come, and what `naming` should say."
)
@_format_option
def doctor(config: Path | None, tab: str | None, suggest: bool, form: str) -> None:
    """Run every query against the live sources.

    Those of panels, variables and rules. Says per panel whether it has data, why not, and how long the query took; and what
    stands in the way, with cause and remedy: packages, variables, connections, tables and views, endpoints, dashboards in
    Grafana, errors in logs. Without --config the local stack's own configuration is used while one is running.

    \b
    observatory doctor
    observatory doctor --tab overview
    observatory doctor --suggest
    observatory doctor --config site.yaml --format json
    """
    from provisioning import doctor as examination

    chosen = config or (Path(named) if (named := os.environ.get("OBSERVATORY_CONFIG")) else None)
    if chosen is None and RUNNING_CONFIG.exists():
        chosen = RUNNING_CONFIG
    if suggest:
        _suggest(chosen, tab, form)
        return
    report = examination.run(_settings(chosen), tab, log_folder=_logs_beside(chosen))
    if form == "json":
        say(report.as_json(str(chosen) if chosen else None))
    else:
        say(f"configuration: {_named(chosen)}\n{report.as_text()}")
    if report.unreachable:
        raise SystemExit(UNREACHABLE)
    if report.ill or report.troubled:
        raise SystemExit(FINDINGS)


def _logs_beside(config: Path | None) -> Path | None:
    """Where the services of a local stack write their logs, when the configuration is that of one."""
    folder = config.parent / "log" if config else None
    return folder if folder and folder.is_dir() else None


def _suggest(config: Path | None, tab: str | None, form: str) -> None:
    from provisioning.doctor import naming
    from provisioning.doctor.prometheus import QueryError

    if tab is not None:
        raise InputError("error: --suggest looks at all metrics; leave --tab away")
    try:
        suggestion = naming.suggest(_settings(config))
    except QueryError as problem:
        raise InputError(f"error: Prometheus refuses to say its names: {problem}") from None
    say(suggestion.as_json(str(config) if config else None) if form == "json" else suggestion.as_text())


def _named(path: Path | None) -> str:
    if path == RUNNING_CONFIG:
        return f"{path.relative_to(ROOT)} (of the running local stack)"
    return str(path) if path else "observatory.yaml, or the defaults"


_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def _demo(*words: str, called: str = "observatory") -> None:
    """Become the program `demo`: it is a customer of the house, and nothing here imports it. `called` is for its help."""
    _become("demo", *words, OBSERVATORY_CALLED=called)


def _become(program: str, *words: str, **variables: str) -> None:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables}
    # -P: a folder of that name in the current folder is not ours.
    os.execve(sys.executable, [sys.executable, "-P", "-m", program, *words], environment)  # noqa: S606


@main.command(context_settings=_PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def up(arguments: tuple[str, ...]) -> None:
    """Start everything on this machine, and stay until Ctrl-C.  `observatory up --help` lists the options."""
    _demo("up", *arguments)


@main.command(context_settings=_PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def down(arguments: tuple[str, ...]) -> None:
    """Stop what a killed `up` left behind."""
    _demo("down", *arguments)


@main.command(context_settings=_PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def demo(arguments: tuple[str, ...]) -> None:
    """Steer the synthetic platform.  `observatory demo --help` lists the commands."""
    _demo(*arguments, called="observatory demo")


@main.group(invoke_without_command=True)
@config_option
@click.option("--configuration", is_flag=True, hidden=True, help="Print the configuration as the exporter reads it.")
@click.pass_context
def exporter(ctx: click.Context, config: Path | None, configuration: bool) -> None:
    """Serve metrics from PostgreSQL and Langfuse.

    Until a signal ends it; SIGHUP makes it read its configuration again.

    \b
    OBSERVATORY_POSTGRES_DSN=postgresql://… observatory exporter
    observatory exporter --config site.yaml
    observatory exporter backfill --days 30 --out history
    """
    if ctx.invoked_subcommand is not None:
        return
    if configuration:
        from contract.plain import written

        say(written(_settings(config)))
    else:  # checking takes much memory, so another process does it, now and for every SIGHUP
        where = ["--config", str(config)] if config is not None else []
        _become("exporters", sys.executable, "-P", "-m", "provisioning.cli", "exporter", "--configuration", *where)


@exporter.command()
@config_option
@click.option("--days", type=click.IntRange(1, 3650), required=True, help="How far back.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="An empty or new folder.")
def backfill(config: Path | None, days: int, out: Path) -> None:
    """Write the history that the exporter would have shown, out of schema `analytics`: a file for every two hours.

    \b
    observatory exporter backfill --days 30 --out history
    for file in history/*.om; do promtool tsdb create-blocks-from openmetrics "$file" data; done
    """
    from provisioning import history

    written = history.write(_settings(config), days, out)
    say(f"{written.points} samples in {len(written.files)} files in {out}")


@main.command(context_settings={"ignore_unknown_options": True})
@config_option
@click.option("--out", type=click.Path(path_type=Path), help="Write pictures to this folder instead of serving pages.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def preview(config: Path | None, out: Path | None, arguments: tuple[str, ...]) -> None:
    """Show the dashboards in the browser, without Grafana.

    With --out as pictures. Further options go to the preview itself; preview/README.md lists them.

    \b
    observatory preview
    observatory preview --port 3300 --open-from now-24h
    observatory preview --out pictures --var environment=production --from now-24h
    """
    from provisioning import preview as previewing

    chosen = config or (RUNNING_CONFIG if RUNNING_CONFIG.exists() else None)
    previewing.start(_settings(chosen), out, arguments)


@main.command(context_settings=_PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def rules(arguments: tuple[str, ...]) -> None:
    """When alerts would have fired.  `observatory rules backtest --help` says more."""
    from provisioning.rules import commands

    commands.group(_settings, RUNNING_CONFIG).main(
        list(arguments), prog_name="observatory rules", standalone_mode=False, help_option_names=HELP
    )


@main.command(context_settings=_PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def report(arguments: tuple[str, ...]) -> None:
    """Write a tab as a file: HTML, PDF, XLSX, CSV or JSON.  `observatory report --help` says more."""
    from provisioning.report import command

    def load(path: Path | None) -> Settings:
        return _settings(path or (RUNNING_CONFIG if RUNNING_CONFIG.exists() else None))

    command.report.main(
        list(arguments), prog_name="observatory report", standalone_mode=False, obj=load, help_option_names=HELP
    )


def _grouped(name: str, module: str, what: str) -> None:
    """A group of commands that stands in a module of its own, which is imported when it is called."""

    @main.command(name, help=f"{what}  `observatory {name} --help` lists the commands.", context_settings=_PASSED_ON)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def group(arguments: tuple[str, ...]) -> None:
        commands: click.Group = getattr(importlib.import_module(module), name)
        commands.main(list(arguments), prog_name=f"observatory {name}", standalone_mode=False, help_option_names=HELP)


_grouped("db", "provisioning.database.commands", "Schema `analytics` in the platform's database.")
_grouped("api", "provisioning.api.commands", "What dashboards show as JSON and CSV, for programs.")
_grouped("retention", "provisioning.retention.commands", "How long what is known stays.")
_grouped("forecast", "provisioning.forecasts.commands", "What is to come, and how good such forecasts were.")
main.add_command(backing.backup)
main.add_command(backing.restore)
for command in (planning.plan, planning.apply, planning.adopt, planning.release):
    main.add_command(command)


main.add_command(configuration)
main.add_command(capacity)
for _name, (_module, _what) in ACTIONS.items():
    _grouped(_name, _module, _what)


if __name__ == "__main__":
    main()
