"""`python -m soak`: a simulated day on a database of its own; exit code 1 when something did not stay flat."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from pathlib import Path

import psycopg

from demo.database.server import EmbeddedPostgres, ServerError
from soak.flatness import Sample, as_plain, growth, measured, table
from soak.life import InstallFailed, life, prepare

FOLDER = Path("var/soak")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="length of the simulated time (default 24)")
    parser.add_argument("--step", type=float, default=15.0, help="seconds of the simulated clock per round (default 15)")
    wanted = parser.parse_args()
    if wanted.hours <= 0 or wanted.step <= 0:
        parser.error("--hours and --step have to be more than 0")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    try:
        with EmbeddedPostgres(FOLDER / "postgres", port, FOLDER / "password") as dsn:
            samples = run(_fresh_database(dsn), wanted.hours, wanted.step)
    except (ServerError, InstallFailed) as error:
        print(error, file=sys.stderr)
        return 3
    print(table(samples))
    (FOLDER / "soak.json").write_text(json.dumps(as_plain(samples), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for sentence in (grown := growth(samples)):
        print(sentence, file=sys.stderr)
    return 1 if grown else 0


def _fresh_database(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS soak")
        connection.execute("CREATE DATABASE soak")
    return psycopg.conninfo.make_conninfo(dsn, dbname="soak")


def run(dsn: str, hours: float, step: float) -> list[Sample]:
    """Lives through the hours and measures twenty-four times, evenly. `dsn` names an empty database."""
    prepare(dsn)
    rounds = max(24, int(hours * 3600 / step))
    samples = []
    with life(dsn, hours) as lived:
        for number in range(1, rounds + 1):
            lived.step(step)
            if number % (rounds // 24) == 0:
                lived.vacuum()
                samples.append(measured(lived.connection, number * step / 3600, lived.series()))
    return samples


if __name__ == "__main__":
    sys.exit(main())
