"""An incident while the stack lives: it pages within a minute, with working links and the right facts.

That it resolves is looked at when all else was: until then others need not wait for it.
"""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
import requests

from tests.integration.conftest import PAGE, PATIENCE, LivingStack, eventually

pytestmark = pytest.mark.integration


def _first_bad_scrape(stack: LivingStack, since: float) -> float:
    """Time of the first scrape that shows more failed queries than the last one before the incident."""
    failed = 'sum(agent_queries_total{environment="production",status=~"error|timeout"})'
    before = stack.value(failed, since)
    asked: dict[str, str | float] = {
        "query": 'agent_queries_total{environment="production",status=~"error|timeout"}[3m]',
        "time": min(since + 180, time.time()),
    }
    answer = requests.get(f"{stack.url('prometheus')}/api/v1/query", params=asked, timeout=60).json()
    at: dict[float, float] = {}
    for series in answer["data"]["result"]:
        for when, value in series["values"]:
            at[when] = at.get(when, 0.0) + float(value)
    return min(when for when, value in at.items() if when > since and value > before)


def test_it_pages_in_slack_and_mail_within_a_minute_of_the_first_bad_scrape(
    stack: LivingStack, incident: float, record_property: Any
) -> None:
    slack = eventually(lambda: stack.message("slack", incident, PAGE), PATIENCE, "the page in Slack")
    mail = eventually(lambda: stack.message("mail", incident, PAGE), PATIENCE, "the page by mail")
    bad = _first_bad_scrape(stack, incident)
    delays = {kind: message["received_at"] - bad for kind, message in (("slack", slack), ("mail", mail))}
    record_property("seconds_from_first_bad_scrape", delays)
    print(f"\nfirst bad scrape {bad - incident:.1f} s after the incident began; then {delays}")
    assert all(0 <= delay < 60 for delay in delays.values()), delays


def test_the_message_has_the_facts(stack: LivingStack, incident: float) -> None:
    text = str(stack.message("slack", incident, PAGE))
    assert "production" in text and "<no value>" not in text
    [share] = re.findall(r"([0-9.]+) ?% of all agent queries", text)[:1]
    assert 30 < float(share) <= 100


def test_its_links_lead_somewhere(stack: LivingStack, incident: float) -> None:
    message = stack.message("slack", incident, PAGE)
    links = {link.replace("&amp;", "&") for link in re.findall(r"https?://[^\s'\"|>\\]+", str(message))}
    runbook = next(link for link in links if "/runbooks/" in link)
    page = requests.get(runbook, timeout=60)
    assert page.status_code == 200 and "Look first" in page.text
    board = next(link for link in links if "/d/observatory-overview" in link)
    assert "var-environment=production" in board and "viewPanel=" in board
    eventually(lambda: stack.parts["preview"]["address"] in board or None, 1, "the link leads to the preview")

    def opened() -> bool:
        try:
            return requests.get(board, timeout=60).status_code == 200
        except requests.ConnectionError:
            return False  # the preview is still being installed

    eventually(opened, PATIENCE, "the dashboard's page")
