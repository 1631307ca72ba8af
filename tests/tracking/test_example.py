"""The example platform runs as its text says, and what it did stands in the tables."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psycopg
from observatory_tracking import tables

TRACKING = Path(__file__).resolve().parents[2] / "tracking"


def test_the_example_is_tracked(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(tables().encode())
    done = subprocess.run(
        [sys.executable, str(TRACKING / "examples" / "order_desk.py"), "--questions", "8"],
        env={**os.environ, "TRACKING_DSN": database, "PYTHONPATH": str(TRACKING)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:3] == [
        "A-1: on its way", "A-2: delivered", "A-9: nobody knows of it; somebody will call you",
    ]  # fmt: skip
    with psycopg.connect(database) as connection:
        runs = Counter(connection.execute("SELECT agent_name, status FROM app.agent_executions").fetchall())
        [(workflows,)] = connection.execute("SELECT count(*) FROM app.workflow_metrics").fetchall()
        tools = Counter(connection.execute("SELECT tool_name, status FROM app.tool_usage_metrics").fetchall())
        [(sessions,)] = connection.execute("SELECT count(*) FROM app.session_metrics").fetchall()
    assert runs[("order-desk", "success")] == 6 and runs[("help-desk", "success")] == 2
    assert sum(runs.values()) == 10 and workflows == sessions == 8 and sum(tools.values()) == 8
