"""What was begun has its effect, ends, and is seen no more: the incident, what people set. A browser draws all tabs first."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import requests

from tests.integration.begun import ALERT, CACHE, FOUND, LEVEL, LIMIT, Begun, levels
from tests.integration.commands import act, wish
from tests.integration.conftest import PAGE, PATIENCE, LivingStack, eventually
from tests.integration.loaded import PLACE, UNDER_LOAD

pytestmark = pytest.mark.integration


@pytest.fixture
def taken_back(begun: Begun) -> None:
    """Also where nobody has looked at them before."""
    begun.take_rules_back()
    begun.take_budget_back()


def test_a_browser_draws_every_panel(stack: LivingStack, tmp_path: Path) -> None:
    words = ("--config", str(stack.config), "--out", str(tmp_path), "--from", "now-6h", "--to", "now")
    # A narrow page is as long as a wide one, and quicker painted.
    done = stack.observatory("preview", *words, "--width", "1000", timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    text = json.dumps(report)
    assert '"query error"' not in text and "unsupported" not in text, (tmp_path / "summary.txt").read_text()
    assert (tmp_path / "observatory-overview.png").stat().st_size > 100_000


def test_less_is_found_in_a_cache_that_is_off_until_it_is_reset(stack: LivingStack, begun: Begun) -> None:
    """Off, and most of what this agent looks up is not there; reset, and it is as before."""
    less = begun.usually_found - 0.1
    eventually(lambda: any(value < less for _labels, value in stack.query(FOUND)), PATIENCE, "less is found")
    act(stack, *shlex.split(wish(stack, begun.agent, CACHE)["command"])[1:])

    def states() -> tuple[str, str]:
        row = wish(stack, begun.agent, CACHE)
        return row["state"], row["wanted"]

    eventually(lambda: states() == ("applied", "the platform's own"), PATIENCE, "it is as before")
    assert wish(stack, begun.agent, CACHE)["command"] is None


def test_an_alert_tells_of_the_level_that_a_load_test_broke(stack: LivingStack, begun: Begun) -> None:
    """In Prometheus, and in Alertmanager. What broke it is taken back, and tested again meanwhile."""
    about = {"alertname": "LoadTestLevelBroken", "agent": begun.loaded.agent, "environment": PLACE}
    chosen = ",".join(f'{label}="{value}"' for label, value in about.items())
    eventually(lambda: stack.query(f'ALERTS{{{chosen},alertstate="firing"}}'), PATIENCE, "the alert fires")
    asked = {"filter": [f'{label}="{value}"' for label, value in about.items()]}

    def arrived() -> list[dict[str, str]]:
        answer = requests.get(f"{stack.url('alertmanager')}/api/v2/alerts", params=asked, timeout=60)
        return [alert["annotations"] for alert in answer.json()]

    [said] = eventually(arrived, PATIENCE, "Alertmanager has it")
    assert f"agent {begun.loaded.agent} in {PLACE} did not keep" in said["description"]
    begun.loaded.mend()


@pytest.mark.usefixtures("taken_back")
def test_nothing_shows_what_was_taken_back(stack: LivingStack) -> None:
    """Of the level objective and what was reached; how fast it burnt stays as long as anything that was counted then."""
    eventually(lambda: not stack.query(f'ALERTS{{alertname="{ALERT}"}}'), PATIENCE, "the alert is gone")
    eventually(lambda: not stack.query(LIMIT), PATIENCE, "the budget is gone")
    eventually(lambda: LEVEL not in levels(stack, 2), PATIENCE, "the row is gone")


def test_it_resolves_in_slack_and_mail(stack: LivingStack, incident: float) -> None:
    eventually(
        lambda: stack.message("slack", incident, PAGE, "esolved"), PATIENCE, "the resolved message in Slack"
    )
    eventually(lambda: stack.message("mail", incident, PAGE, "esolved"), PATIENCE, "the resolved mail")


def test_the_alert_history_keeps_both(stack: LivingStack, incident: float) -> None:
    def statuses() -> set[str] | None:
        with stack.database as database:
            rows = database.execute(
                "SELECT DISTINCT status FROM analytics.alert_events WHERE alertname = %s AND received_at >= to_timestamp(%s)",
                (PAGE, incident),
            ).fetchall()
        found = {status for (status,) in rows}
        return found if found == {"firing", "resolved"} else None

    eventually(statuses, PATIENCE, "firing and resolved in the history")


def test_what_was_given_up_is_answered_again_without_the_limit(stack: LivingStack, begun: Begun) -> None:
    told = begun.loaded.told()
    assert told["state"] == "done" and set(told["result"]["statuses"]) == {"200"}
    assert [level["kept"] for level in told["result"]["service_levels"] if level["name"] == UNDER_LOAD] == [True]
    with stack.database as database:
        is_open = database.execute(
            "SELECT FROM analytics.incidents WHERE ref = %s AND closed_at IS NULL", (f"load test {begun.loaded.agent} {PLACE}",)
        ).fetchone()
    assert (is_open is None) == all(level["kept"] for level in told["result"]["service_levels"])
