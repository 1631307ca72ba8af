"""`python -m demo`: the local stack and its synthetic platform. `observatory up`, `down` and `demo` lead here."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

# The package of the embedded PostgreSQL asks for a folder that it then does not need.
warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")

if TYPE_CHECKING:
    from contract.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
FINE, UNHEALTHY, WRONG_INPUT, OUT_OF_REACH = 0, 1, 2, 3


class _Folder(click.Path):
    """A folder's path. An empty one (a variable that is not set, most likely) would mean the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty; write . for the current folder", param, ctx)
        return super().convert(value, param, ctx)


class _Size(click.FloatRange):
    """A range that `nan`, which is neither below nor above it, is not in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


_var = click.option(
    "--var",
    type=_Folder(path_type=Path),
    default=ROOT / "var",
    show_default="var in the project's folder",
    callback=lambda _context, _option, path: path.absolute(),
    help="Folder of the stack's state.",
)
_config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="OBSERVATORY_CONFIG",
    help="Configuration file. Without it: ./observatory.yaml when there is one, else the defaults.",
)


def _world(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that choose the synthetic world."""
    for option in (
        click.option("--seed", type=click.IntRange(0), help="Number that determines the world.  [1]"),
        click.option("--scale", type=_Size(0.01, 10), help="Size of the platform; 1 is about 2,400 conversations a day.  [1]"),
        click.option("--days", type=click.IntRange(8, 400), help="Days of history.  [90]"),
        click.option("--busy", is_flag=True, help="Let now be the busiest time of the platform's week, also at night."),
        click.option("--fresh", is_flag=True, help="Make the world anew, whatever is there."),
        click.option(
            "--history", type=click.IntRange(1, 7), default=7, show_default=True, help="Days of metrics to start with."
        ),
        click.option(
            "--fine-hours",
            type=click.IntRange(1, 24),
            default=24,
            show_default=True,
            help="Newest hours of them with a sample of every scrape, not of every minute.",
        ),
    ):
        command = option(command)
    return command


class _Commands(click.Group):
    """Ends every command with a text for people where something is wrong, never with a traceback for it."""

    def invoke(self, ctx: click.Context) -> Any:
        from demo.stack.failure import StackError
        from provisioning.findings import InputError
        from provisioning.tools import ToolError

        try:
            return super().invoke(ctx)
        except StackError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except (InputError, ToolError) as error:
            click.echo(str(error), err=True)
            ctx.exit(WRONG_INPUT)
        except OSError as error:
            click.echo(f"error: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", err=True)
            ctx.exit(OUT_OF_REACH)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """The observatory on this machine, with a synthetic platform to watch.

    \b
    up                             start everything and stay until Ctrl-C
    status                         how the running stack is
    incident errors --for 5m       let something go wrong on the platform
    push-langfuse --for 1d         fill a real Langfuse with its past
    down                           end what a killed stack left behind
    """


@main.command()
@_var
@_config
@_world
@click.option("--no-preview", is_flag=True, help="Leave the preview away.")
@click.option("--no-grafana", is_flag=True, help="Leave Grafana away.")
@click.option(
    "--langfuse-mode",
    type=click.Choice(["v4", "v3", "dual", "cloud"]),
    default="v4",
    show_default=True,
    help="What the Langfuse stand-in is: a server of that version, one that serves both, or Langfuse Cloud.",
)
@click.option(
    "--langfuse-plan", type=click.Choice(["hobby", "core", "pro"]), help="Rate limits of --langfuse-mode cloud.  [core]"
)
@click.option("--exit-when-ready", is_flag=True, help="End after the table: 0 when all parts are healthy, else 1.")
def up(
    var: Path,
    config: Path | None,
    seed: int | None,
    scale: float | None,
    days: int | None,
    busy: bool,
    fresh: bool,
    history: int,
    fine_hours: int,
    no_preview: bool,
    no_grafana: bool,
    langfuse_mode: str,
    langfuse_plan: str | None,
    exit_when_ready: bool,
) -> None:
    """Start everything, show where it is, and stay until Ctrl-C.

    \b
    The database is the one of OBSERVATORY_POSTGRES_DSN, else an embedded one.
    Langfuse is the one of LANGFUSE_BASE_URL, else a stand-in.
    Slack and mail go to sinks with a page, unless SLACK_WEBHOOK_URL_FILE or the configuration's SMTP settings say otherwise.
    """
    from demo.stack.prepare import Wanted
    from demo.stack.screen import Screen
    from demo.stack.stack import Options
    from demo.stack.up import up as bring_up

    if langfuse_plan and langfuse_mode != "cloud":
        raise click.UsageError(f"--langfuse-plan: only --langfuse-mode cloud has plans, not {langfuse_mode}")
    plan = langfuse_plan or ("core" if langfuse_mode == "cloud" else None)
    wanted = Wanted(seed, scale, days, fresh, history, fine_hours * 3600.0, busy=busy)
    options = Options(var, wanted, not no_preview and not exit_when_ready, not no_grafana, langfuse_mode, plan)
    with _writing_below(var):
        sys.exit(bring_up(options, _settings(config), Screen(), exit_when_ready))


@main.command()
@_var
def down(var: Path) -> None:
    """End the stack, or what is left of one that was killed."""
    from demo.stack.down import down as bring_down

    ended = bring_down(var)
    click.echo(f"{ended} process{'es' if ended > 1 else ''} ended" if ended else f"nothing was running in {var}")


@main.command()
@_var
def status(var: Path) -> None:
    """Show how the running stack is: exit code 0 when all is healthy, 1 when not, 3 when none runs."""
    from demo.stack.screen import Screen
    from demo.stack.status import rows

    found = rows(var)
    Screen().table(found)
    sys.exit(FINE if all(row.state == "healthy" for row in found) else UNHEALTHY)


@main.command()
@click.argument("kind")
@click.option("--for", "duration", default="5m", show_default=True, help="How long: 90s, 5m, 1h.")
@_var
def incident(kind: str, duration: str, var: Path) -> None:
    """Let the platform have an incident: latency, errors, cost or silence."""
    from demo.platform import incidents

    try:
        seconds = incidents.seconds_of(duration)
        declared = incidents.declare(var, kind, seconds, time.time())
    except incidents.NoRunningStack as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(OUT_OF_REACH)
    except incidents.IncidentError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(WRONG_INPUT)
    until = time.strftime("%H:%M:%S", time.localtime(declared.end))
    click.echo(f"{kind}: {incidents.KINDS[kind]}, until {until}")


_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_KEYS = ROOT / "secrets"


@main.command("push-langfuse")
@_var
@click.option("--for", "duration", default="1d", show_default=True, help="How far back: 6h, 1d, 7d.")
@click.option("--to", "url", default="http://127.0.0.1:3001", show_default=True, help="Address of the Langfuse server.")
@click.option(
    "--public-key-file", type=_FILE, default=_KEYS / "langfuse_public_key", help="File with the project's public key."
)
@click.option("--secret-key-file", type=_FILE, default=_KEYS / "langfuse_secret_key", help="File with its secret key.")
def push_langfuse(var: Path, duration: str, url: str, public_key_file: Path, secret_key_file: Path) -> None:
    """Send the platform's past model calls to a Langfuse server, by OTLP, for example to the one of docker-compose.yml.

    Nothing is remembered: what is sent again stands twice on the server until it merges its rows.
    """
    from contract.values import duration_seconds
    from demo.langfuse.push import PushError, Server, push
    from demo.world import spec_file
    from demo.world.world import World

    try:
        back = duration_seconds(duration)
        server = Server(url, *(path.read_text(encoding="utf-8").strip() for path in (public_key_file, secret_key_file)))
        world = World(spec_file.read(var / "world.json"))
    except FileNotFoundError:
        click.echo(f"error: no platform has lived in {var}; `observatory up` makes one", err=True)
        sys.exit(WRONG_INPUT)
    except (ValueError, spec_file.SpecError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(WRONG_INPUT)
    now = time.time()
    since = max(now - back, world.spec.beginning)
    try:
        calls, scores = push(world, since, now, server, lambda c, s: click.echo(f"  {c} observations, {s} scores"))
    except PushError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(OUT_OF_REACH)
    click.echo(f"{calls} observations and {scores} scores of the last {duration} are with {url}")


@main.command()
@_var
@_config
@click.option(
    "--dsn-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="File with the connection string of the database's owner.",
)
@_world
def prepare(
    var: Path,
    config: Path | None,
    dsn_file: Path,
    seed: int | None,
    scale: float | None,
    days: int | None,
    busy: bool,
    fresh: bool,
    history: int,
    fine_hours: int,
) -> None:
    """Load the database and fill the history, once: what `up` does before the parts start."""
    import sqlite3

    import psycopg

    from demo.stack.prepare import HISTORY_FAILED, HistoryError, Progress, Wanted
    from demo.stack.prepare import prepare as bring_up_to_now

    settings = _settings(config)
    with_standin = not os.environ.get("LANGFUSE_BASE_URL")
    var.mkdir(parents=True, exist_ok=True)
    try:
        wanted = Wanted(seed, scale, days, fresh, history, fine_hours * 3600.0, busy=busy)
        dsn = dsn_file.read_text(encoding="utf-8").strip()
        with _writing_below(var):
            made = bring_up_to_now(var, dsn, settings, wanted, time.time(), with_standin, Progress(click.echo))
        if not made:
            click.echo("no history: prometheus is missing; run `make tools`")
            sys.exit(HISTORY_FAILED)
    except HistoryError as error:
        click.echo(f"no history: {error}", err=True)
        sys.exit(HISTORY_FAILED)
    except sqlite3.Error as error:
        click.echo(f"error: {error}: {var / 'langfuse.sqlite'}", err=True)
        sys.exit(OUT_OF_REACH)
    except psycopg.Error as error:
        click.echo(f"the database cannot be used: {' '.join(str(error).split())}", err=True)
        sys.exit(OUT_OF_REACH)


@contextlib.contextmanager
def _writing_below(folder: Path) -> Iterator[None]:
    """Names the folder in errors of the system that name no file: a disk that is full does not say where."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(folder)
        raise


def _settings(path: Path | None) -> Settings:
    from provisioning import config

    settings = config.chosen(path)
    os.environ.pop(config.OVERLAY_VARIABLE, None)  # what is started here reads a file with everything in it
    return settings


if __name__ == "__main__":
    main(prog_name=os.environ.get("OBSERVATORY_CALLED", "python -m demo"))
