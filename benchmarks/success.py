"""The command behind `make success`: the figures by which the whole is judged, each measured, or why it was not."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click
import psycopg
from rich.console import Console

from benchmarks import answers, live, machine, reference, report, tabs, viewers
from benchmarks.measure import Bar, Measure
from benchmarks.program import ProgramError
from benchmarks.questions import QUESTIONS
from benchmarks.run import Run, Scale
from dashboards.catalogue import TABS
from demo.database.server import ServerError
from demo.drill.living import StackLost, drill
from demo.drill.own_stack import own_stack
from demo.platform.incidents import IncidentError
from provisioning.findings import InputError, Unreachable

FOLDER = Path(__file__).resolve().parent.parent / "var" / "bench"
FINE, MISSED, UNREACHABLE, INTERRUPTED = 0, 1, 3, 130
_INCIDENT, _PAGE, _INCIDENT_SECONDS = "errors", "AgentErrorsPage", 180.0
_POINTS = ("app.agent_executions", "app.messages", "analytics.llm_calls")


@dataclass(frozen=True)
class Part:
    """One figure or a few. What cannot be measured here raises ProgramError, with the reason."""

    title: str
    measure: Callable[[Run], Iterator[Measure]]


def of_tabs(run: Run) -> Iterator[Measure]:
    """Every tab as a browser opens it, and every query, on the reference data."""
    found = list(tabs.measure(run))
    opened = [measure for measure in found if "when it is opened" in measure.what]
    slowest = [measure for measure in found if "slowest of all" in measure.what]
    worst, query = (max(group, key=lambda measure: measure.ours) for group in (opened, slowest))
    yield Measure(f"a dashboard opens, the slowest of {len(opened)}: {worst.what}", worst.ours, "ms", Bar(2000.0))
    yield Measure(f"a query answers, the slowest of all: {query.what}", query.ours, "ms", Bar(200.0))
    within = 100.0 * sum(bool(measure.met) for measure in slowest) / len(slowest)
    yield Measure("tabs all of whose queries answer within 200 ms", within, "%")
    with psycopg.connect(reference.database(run, reference.moment(run.folder, time.time()))) as connection:
        points = sum(_rows(connection, table) for table in _POINTS)
    yield Measure("rows that were asked: executions, messages, model calls", points, "", Bar(1e6, at_least=True))


def accuracy(run: Run) -> Iterator[Measure]:
    """Our answers beside plain SQL over the tables themselves."""
    (differing,) = answers.measure(run)
    equal = 100.0 * (len(QUESTIONS) - differing.ours) / len(QUESTIONS)
    yield Measure(f"of {len(QUESTIONS)} answers equal those of plain SQL", equal, "%", Bar(100.0, at_least=True))


def delivery(run: Run) -> Iterator[Measure]:
    """An incident on a living stack: from the first scrape that sees it to the message."""
    try:
        with own_stack(run.say) as stack:
            found = drill(stack, _INCIDENT, _INCIDENT_SECONDS, 0.0, run.say)
    except (StackLost, IncidentError) as problem:
        raise ProgramError(str(problem)) from None
    begun = found.scraped or found.begun
    for way in ("slack", "mail"):
        moments = [at for (alert, _), seen in found.seen.items() if alert == _PAGE and (at := getattr(seen, way))]
        if not moments:
            raise ProgramError(f"{_PAGE} was not told by {way} within {_INCIDENT_SECONDS:g} s of the incident's begin")
        yield Measure(f"a page arrives by {way} after the first bad scrape", min(moments) - begun, "s", Bar(60.0))


_TO_MEASURE = (
    "To measure it, say where your Grafana is (OBSERVATORY_GRAFANA_URL) and who may list its users (OBSERVATORY_GRAFANA_TOKEN, "
    "of a service account with the role Admin), and for each tab where its log is (api.viewers_log); api.viewers counts them "
    "all the time (docs/api.md, Viewers)"
)


def engagement(run: Run) -> Iterator[Measure]:  # noqa: ARG001  it is Grafana that is asked
    """Who of Grafana's users was there within a day."""
    try:
        now = datetime.now(UTC)
        found, tabs_seen = viewers.of_grafana(now), viewers.by_tab(now)
    except (InputError, Unreachable) as problem:
        raise ProgramError(f"{str(problem).removeprefix('error: ')}. {_TO_MEASURE}") from None
    yield Measure(f"of {found.users} users of Grafana were there within a day", found.share, "%", Bar(50.0, at_least=True))
    for tab, count in tabs_seen.items():
        yield Measure(f"looked at the tab {tab} within a day", count, "accounts")


PARTS = {
    "tabs": Part("Dashboards load within 2 s, queries answer within 200 ms, over one million data points", of_tabs),
    "accuracy": Part("Figures are exact", accuracy),
    "delivery": Part("Alerts are delivered within a minute", delivery),
    "live": Part("Live figures are a second old at most", live.measure),
    "viewers": Part("Half of those who may look do so daily", engagement),
}


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="Only this part; may be given several times.")
@click.option("--tab", "keys", multiple=True, type=click.Choice([tab.key for tab in TABS]), help="Of tabs only this one.")
@click.option("--rows", type=click.IntRange(10_000), default=1_000_000, show_default=True, help="Agent executions.")
@click.option("--shared-buffers", default="1GB", show_default=True, help="PostgreSQL's memory.")
def main(only: tuple[str, ...], keys: tuple[str, ...], rows: int, shared_buffers: str) -> None:
    """Measure the figures by which the whole is judged, and print each with its bar.

    What could not be measured is said with the reason; it is neither met nor missed. Exit codes: 0 nothing was missed, 1 a bar
    was missed, 3 nothing could be measured.
    """
    console = Console(width=None if sys.stdout.isatty() else 160)
    scale, facts = replace(Scale(), rows=10 * rows), machine.facts()
    measures: list[Measure] = []
    unmeasured: list[str] = []
    try:
        with Run(FOLDER, scale, shared_buffers, lambda text: console.print(f"  {text}", style="dim"), keys) as run:
            for name in only or PARTS:
                console.print(f"[bold]{PARTS[name].title}[/bold] …")
                try:
                    measures += PARTS[name].measure(run)
                except (ProgramError, ServerError) as problem:
                    unmeasured.append(f"{PARTS[name].title}: {problem}")
            report.write(FOLDER, "success", measures, facts, scale)
    except (ProgramError, ServerError) as problem:  # another run has the folder, for instance
        click.echo(f"error: {problem}", err=True)
        sys.exit(UNREACHABLE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    report.show("Success", measures, console)
    for line in unmeasured:
        console.print(f"not measured  {line}", style="yellow")
    sys.exit(MISSED if any(measure.met is False for measure in measures) else FINE)


def _rows(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()  # noqa: S608  a constant
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    main(prog_name="make success")
