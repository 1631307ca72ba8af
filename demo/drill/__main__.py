"""The command behind `make drill`."""

from __future__ import annotations

import sys

import click
from rich.console import Console
from rich.table import Table

from demo.drill.living import KINDS, Drill, StackLost, drill
from demo.drill.own_stack import own_stack
from demo.platform.incidents import IncidentError
from provisioning.findings import InputError, Unreachable

FINE, DIFFERENT, OUT_OF_REACH, INTERRUPTED = 0, 1, 3, 130


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, type=click.Choice(KINDS), help="Only this incident; may be given several times.")
@click.option("--minutes", type=click.FloatRange(1, 60), default=10.0, show_default=True, help="How long each lasts.")
@click.option("--settle", type=click.FloatRange(1, 60), default=15.0, show_default=True, help="Minutes to wait for its end.")
@click.pass_context
def main(ctx: click.Context, only: tuple[str, ...], minutes: float, settle: float) -> None:
    """Let every incident happen on a small stack of its own, and hold what fires against the table in demo/drill/expected.py.

    Exit codes: 0 all as listed, 1 a difference, 3 the stack cannot be used.
    """
    if ctx.invoked_subcommand is not None:
        return
    console = Console(width=None if sys.stdout.isatty() else 160)
    drills: list[Drill] = []
    try:
        with own_stack(console.print) as stack:
            for kind in only or KINDS:
                console.print(f"[bold]{kind}[/bold] for {minutes:g} minutes …")
                drills.append(
                    drill(stack, kind, minutes * 60, settle * 60, lambda text: console.print(f"  {text}", style="dim"))
                )
    except (StackLost, IncidentError) as problem:
        click.echo(f"error: {problem}", err=True)
        sys.exit(OUT_OF_REACH)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    console.print(_table(drills))
    differences = [f"{one.kind}: {text}" for one in drills for text in one.differences()]
    for text in differences:
        console.print(f"different  {text}", style="red")
    sys.exit(DIFFERENT if differences else FINE)


@main.command()
@click.option("--only", multiple=True, type=click.Choice(KINDS), help="Only this incident; may be given several times.")
def virtual(only: tuple[str, ...]) -> None:
    """Print what fires around each incident in virtual time, and when."""
    from demo.drill.rehearsal import rehearse

    try:
        for kind, report in rehearse(only or KINDS):
            click.echo(f"{kind}\n{report}\n")
    except (InputError, Unreachable) as problem:
        click.echo(str(problem), err=True)
        sys.exit(OUT_OF_REACH)


def _table(drills: list[Drill]) -> Table:
    """Seconds after the incident's first scrape; a dash where nothing was seen."""
    table = Table(title="Seconds after the first scrape within the incident")
    for head in ("incident", "alert", "about", "fires", "Slack", "mail", "over"):
        table.add_column(head, justify="left" if head in ("incident", "alert", "about") else "right")
    for one in drills:
        begun = one.scraped or one.begun
        for (alert, about), seen in sorted(one.seen.items(), key=lambda item: item[1].fired):
            moments = (seen.fired, seen.slack, seen.mail, seen.resolved)
            table.add_row(one.kind, alert, about, *("–" if at is None else f"{at - begun:.0f}" for at in moments))
        if not one.seen:
            table.add_row(one.kind, "nothing", "", "", "", "", "")
    return table


if __name__ == "__main__":
    main(prog_name="make drill")
