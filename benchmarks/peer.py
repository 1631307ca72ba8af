"""query-exporter with the 25 questions, run as its own program."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from benchmarks.program import Program, ProgramError, started
from benchmarks.questions import QUESTIONS, Question
from benchmarks.run import free_port

PROGRAM = Path(__file__).resolve().parent.parent / "var" / "bench" / "peer" / "bin" / "query-exporter"
"""Where scripts/peer.sh installs it."""

NAME = "query-exporter"
_DSN = "BENCH_DSN"


def _configuration(now: datetime, interval: int | None) -> dict[str, Any]:
    return {
        "databases": {"platform": {"dsn": f"!env {_DSN}"}},
        "metrics": {
            f"{question.name}_{value}": {"type": "gauge", "description": question.name}
            | ({"labels": list(question.labels)} if question.labels else {})
            for question in QUESTIONS
            for value in question.values
        },
        "queries": {
            question.name: {
                "databases": ["platform"],
                "metrics": [f"{question.name}_{value}" for value in question.values],
                "sql": _renamed(question, now),
            }
            | ({"interval": interval} if interval else {})
            for question in QUESTIONS
        },
    }


def _renamed(question: Question, now: datetime) -> str:
    """The question with its values named as query-exporter wants them: as the metrics."""
    values = [f"{value} AS {question.name}_{value}" for value in question.values]
    return f"SELECT {', '.join([*question.labels, *values])} FROM ({question.at(now)}) answer"  # noqa: S608


def query_exporter(folder: Path, dsn: str, now: datetime, interval: int | None) -> contextlib.AbstractContextManager[Program]:
    """query-exporter on the database. Without an interval (seconds) it asks when it is scraped. Raises ProgramError."""
    if not PROGRAM.exists():
        raise ProgramError(f"{PROGRAM} is not installed; `make bench` or scripts/peer.sh installs it")
    configuration, port = folder / "peer.yaml", free_port()
    # The tag !env keeps the password out of the file.
    configuration.write_text(yaml.safe_dump(_configuration(now, interval)).replace(f"'!env {_DSN}'", f"!env {_DSN}"))
    command = [str(PROGRAM), "--config", str(configuration), "--host", "127.0.0.1", "--port", str(port)]
    environment = {_DSN: dsn.replace("postgresql://", "postgresql+psycopg://", 1)}
    return started(command, f"http://127.0.0.1:{port}/metrics", folder / "peer.log", environment)
