"""Runs the stand-in as a program of its own: `python -m demo.langfuse --help`."""

from __future__ import annotations

import logging
import signal
import sqlite3
import sys
import time
from pathlib import Path

import click

from demo.langfuse.rate_limits import LIMITS
from demo.langfuse.server import HOST, PortTaken, address, listen, server
from demo.langfuse.standin import MODES, OLD_PATH_LAG_SECONDS, VISIBILITY_LAG_SECONDS, Keys, StandIn, price_list
from demo.langfuse.store import Store
from demo.world.catalogue import MODELS

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _key(path: Path, option: str) -> str:
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} cannot be read: {error}", param_hint=option) from None
    if not text:
        raise click.BadParameter(f"{path} is empty; it must hold the key", param_hint=option)
    return text


@click.command()
@click.option(
    "--var",
    required=True,
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="Folder of the storage, langfuse.sqlite.",
)
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=3100, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
@click.option("--mode", default="v4", show_default=True, type=click.Choice(list(MODES)), help="What kind of server to be.")
@click.option("--public-key-file", required=True, type=_FILE, help="File with the project's public key.")
@click.option("--secret-key-file", required=True, type=_FILE, help="File with the project's secret key.")
@click.option(
    "--lag", default=VISIBILITY_LAG_SECONDS, show_default=True, type=click.FloatRange(0), help="Seconds until work can be read."
)
@click.option(
    "--old-path-lag",
    default=OLD_PATH_LAG_SECONDS,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds more until an event can be read that an old client sent, in modes dual and cloud.",
)
@click.option("--plan", default="hobby", show_default=True, type=click.Choice(list(LIMITS)), help="Rate limits of mode cloud.")
@click.option("--numbers-as-strings", is_flag=True, help="Write integers as text, as ClickHouse before 25.8 does.")
def main(
    var: Path,
    host: str,
    port: int,
    mode: str,
    public_key_file: Path,
    secret_key_file: Path,
    lag: float,
    old_path_lag: float,
    plan: str,
    numbers_as_strings: bool,
) -> None:
    """Serves the rows of the synthetic platform as a Langfuse server does."""
    keys = Keys(_key(public_key_file, "--public-key-file"), _key(secret_key_file, "--secret-key-file"))
    try:
        listener = listen(port, host)
    except PortTaken as error:
        raise click.BadParameter(f"{error}; choose another", param_hint="--port") from None
    try:
        store = Store(var / "langfuse.sqlite")
    except sqlite3.Error as error:
        raise click.BadParameter(f"{var / 'langfuse.sqlite'} cannot be opened: {error}", param_hint="--var") from None
    prices = price_list(MODELS)
    standin = StandIn(store, MODES[mode], keys, time.time, prices, lag, numbers_as_strings, plan, old_path_lag)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # of faults that were asked for, people know
    serving = server(standin)

    def stop(*_: object) -> None:
        serving.should_exit = True

    # While it serves, the server stops on these signals by itself and passes them on afterwards; the end is a normal one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    click.echo(f"Langfuse stand-in ({mode}) at {address(listener)}")
    sys.stdout.flush()
    serving.run(sockets=[listener])
    store.close()


if __name__ == "__main__":
    main(prog_name="python -m demo.langfuse")
