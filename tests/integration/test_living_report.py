"""A report made of the living stack holds what its database says, and the record keeps who made it."""

from __future__ import annotations

import csv
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.stack.effective import ACTIONS_DSN
from provisioning.actions.audit import ACTOR_VARIABLE, VARIABLE
from tests.integration.conftest import COMMAND, ENVIRONMENT, ROOT, LivingStack

pytestmark = pytest.mark.integration
COUNTED = """
SELECT coalesce(outcome, 'open'), count(*) FROM app.conversations
WHERE environment = 'production' AND created_at BETWEEN %(end)s - interval '1 day' AND %(end)s GROUP BY 1
"""
RECORDED = "SELECT actor, action, after FROM analytics.audit_log WHERE target = 'report agents' ORDER BY id DESC LIMIT 1"


def test_a_report_says_what_the_database_says_and_is_recorded(stack: LivingStack, tmp_path: Path) -> None:
    """Of the day before yesterday, which nothing changes any more."""
    end, out = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1), tmp_path / "outcomes.csv"
    words = ("--tab", "agents", "--panel", "by_outcome", "--range", "24h", "--until", end.isoformat(), "--format", "csv")
    who = {VARIABLE: (stack.var / "secrets" / ACTIONS_DSN).read_text().strip(), ACTOR_VARIABLE: "ada"}
    done = subprocess.run(
        [*COMMAND, "report", *words, "--config", str(stack.config), "--out", str(out)],
        cwd=ROOT, env=ENVIRONMENT | who, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = {row["Name"]: float(row["Value"]) for row in csv.DictReader(out.read_text().splitlines())}
    with stack.database as database:
        assert told == dict(database.execute(COUNTED, {"end": end}).fetchall()) != {}
        row = database.execute(RECORDED).fetchone()
    assert row is not None and row[:2] == ("ada", "report export")
    assert (row[2]["to"], row[2]["format"]) == (end.strftime("%Y-%m-%dT%H:%M:%SZ"), "csv")
