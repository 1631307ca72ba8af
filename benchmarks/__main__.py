"""The command behind `make bench`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from benchmarks import machine, report
from benchmarks.catalogue import BENCHMARKS
from benchmarks.program import ProgramError
from benchmarks.run import Run, Scale
from dashboards.catalogue import TABS
from demo.database.server import ServerError

FOLDER = Path(__file__).resolve().parent.parent / "var" / "bench"
FINE, MISSED, UNREACHABLE, INTERRUPTED = 0, 1, 3, 130
_FULL = Scale()


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--only", multiple=True, type=click.Choice(list(BENCHMARKS)), help="Only this one; may be given several times.")
@click.option("--rows", type=click.IntRange(10_000), default=_FULL.rows, show_default=True, help="Agent executions.")
@click.option("--seconds", type=click.FloatRange(1), default=_FULL.seconds, show_default=True, help="Time that writers write.")
@click.option("--runs", type=click.IntRange(1), default=_FULL.runs, show_default=True, help="Runs with killed replicas.")
@click.option(
    "--minutes", type=click.FloatRange(0.1), default=_FULL.minutes, show_default=True, help="Time that processes are watched."
)
@click.option(
    "--shared-buffers", default=Run.shared_buffers, show_default=True, help="PostgreSQL's memory; less on small machines."
)
@click.option("--tab", "tabs", multiple=True, type=click.Choice([tab.key for tab in TABS]), help="Of tabs only this one.")
@click.option("--keep", is_flag=True, help="Ends well even when a bar is missed.")
def main(
    only: tuple[str, ...],
    rows: int,
    seconds: float,
    runs: int,
    minutes: float,
    shared_buffers: str,
    tabs: tuple[str, ...],
    keep: bool,
) -> None:
    """Measure the data plane, print a table and write var/bench/<name>.json.

    Exit codes: 0 every bar met, 1 a bar was missed, 3 a program does not run.
    """
    console = Console(width=None if sys.stdout.isatty() else 160)
    scale = replace(_FULL, rows=rows, seconds=seconds, runs=runs, minutes=minutes)
    facts = machine.facts()
    missed = []
    try:
        with Run(FOLDER, scale, shared_buffers, lambda text: console.print(f"  {text}", style="dim"), tabs) as run:
            for name in only or BENCHMARKS:
                console.print(f"[bold]{name}[/bold] …")
                measures = list(BENCHMARKS[name].measure(run))
                report.show(BENCHMARKS[name].title, measures, console)
                console.print(f"  {report.write(FOLDER, name, measures, facts, scale)}", style="dim")
                missed += [f"{name}: {measure.what}" for measure in measures if measure.met is False]
    except (ProgramError, ServerError) as problem:
        click.echo(str(problem), err=True)
        sys.exit(UNREACHABLE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    for line in missed:
        console.print(f"missed  {line}", style="red")
    sys.exit(MISSED if missed and not keep else FINE)


if __name__ == "__main__":
    main()
