"""What was begun ends, and is seen no more: the incident, and what people took back. A browser draws all tabs meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.begun import ALERT, LEVEL, LIMIT, Begun, levels
from tests.integration.conftest import INCIDENT_SECONDS, PAGE, LivingStack, eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def taken_back(begun: Begun) -> None:
    """Also where nobody has looked at them before."""
    begun.take_rules_back()
    begun.take_budget_back()


def test_a_browser_draws_every_panel(stack: LivingStack, tmp_path: Path) -> None:
    done = stack.observatory(
        "preview", "--config", str(stack.config), "--out", str(tmp_path), "--from", "now-6h", "--to", "now", timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    text = json.dumps(report)
    assert '"query error"' not in text and "unsupported" not in text, (tmp_path / "summary.txt").read_text()
    assert (tmp_path / "observatory-overview.png").stat().st_size > 100_000


@pytest.mark.usefixtures("taken_back")
def test_nothing_shows_what_was_taken_back(stack: LivingStack) -> None:
    """Of the level objective and what was reached; how fast it burnt stays as long as anything that was counted then."""
    eventually(lambda: not stack.query(f'ALERTS{{alertname="{ALERT}"}}'), 120, "the alert is gone")
    eventually(lambda: not stack.query(LIMIT), 90, "the budget is gone")
    eventually(lambda: LEVEL not in levels(stack, 2), 400, "the row is gone")


def test_it_resolves_in_slack_and_mail(stack: LivingStack, incident: float) -> None:
    eventually(
        lambda: stack.message("slack", incident, PAGE, "esolved"), INCIDENT_SECONDS + 240, "the resolved message in Slack"
    )
    eventually(lambda: stack.message("mail", incident, PAGE, "esolved"), 30, "the resolved mail")


def test_the_alert_history_keeps_both(stack: LivingStack, incident: float) -> None:
    def statuses() -> set[str] | None:
        with stack.database as database:
            rows = database.execute(
                "SELECT DISTINCT status FROM analytics.alert_events WHERE alertname = %s AND received_at >= to_timestamp(%s)",
                (PAGE, incident),
            ).fetchall()
        found = {status for (status,) in rows}
        return found if found == {"firing", "resolved"} else None

    eventually(statuses, 60, "firing and resolved in the history")
