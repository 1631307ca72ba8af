"""`python -m demo.platform`: the living platform in the foreground."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from demo.platform.process import Options, serve


@click.command()
@click.option("--var", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), help="State's folder.")
@click.option("--dsn-file", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File with the owner's DSN.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=9470, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
@click.option("--langfuse", help="Address of the Langfuse stand-in that is told of model calls.")
def main(var: Path, dsn_file: Path, host: str, port: int, langfuse: str | None) -> None:
    """Live: rows into PostgreSQL, model calls to the Langfuse stand-in, metrics on /metrics/ENVIRONMENT."""
    sys.exit(serve(Options(var, dsn_file, host, port, langfuse)))


if __name__ == "__main__":
    main(prog_name="python -m demo.platform")
