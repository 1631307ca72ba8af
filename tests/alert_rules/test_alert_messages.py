"""What a real Alertmanager delivers to Slack and by mail: the facts, the links, and nothing broken by odd names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html import unescape
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from alert_rules import templates, wording
from alert_rules.catalogue import ALERTS
from contract.settings import Settings
from tests.alert_rules.delivery import ADDRESS, BEGAN, OVER, QUERY, Delivery, part, running, until

pytestmark = pytest.mark.integration

AGENT = 'R&D <"bot">|+1\u2028\nBcc: x@example.com'
SHOWN = 'R&D <"bot">|+1 Bcc: x@example.com'
HOUR_BEFORE = str(int((BEGAN - timedelta(hours=1)).timestamp() * 1000))


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory, prometheus_tools: Any) -> Iterator[Delivery]:
    with running(tmp_path_factory.mktemp("alertmanager"), prometheus_tools, {}) as found:
        yield found


def silence_matchers(url: str) -> str:
    address, _, filter_ = url.partition("/#/silences/new?filter=")
    assert address == ADDRESS
    return unquote(filter_)


def buttons(message: dict[str, Any]) -> dict[str, str]:
    actions = message["attachments"][0]["actions"]
    assert all(action["type"] == "button" for action in actions)
    return {action["text"]: action["url"] for action in actions}


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def moment(text: str) -> float:
    """Milliseconds since the epoch of a time as messages write it."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp() * 1000


def test_a_page_and_its_end(delivery: Delivery) -> None:
    about = {"environment": "production"}
    built = delivery.send("AgentErrorsPage", about, 0.7)["dashboard_url"]
    message = delivery.slack_message("Page: AgentErrorsPage in production")
    (attachment,) = message["attachments"]
    here = attachment["title_link"]
    assert message["channel"] == "#agent-alerts"
    assert attachment["color"] == "danger"
    assert query_of(here) == query_of(built) | {"from": HOUR_BEFORE, "to": "now"}
    assert attachment["fallback"] == "Page: AgentErrorsPage in production. Agents are failing right now."
    began = int(BEGAN.timestamp())
    assert attachment["text"] == (
        "*Agents are failing right now.*\n"
        "70% of all agent queries in production failed or timed out in the last minute; more than 30% wakes people, "
        "without waiting.\n"
        f"<{here}|production>: `70%`, alerts above 30%, since 2026-11-20 03:10:05 UTC "
        f"(<!date^{began}^{{ago}}|2026-11-20 03:10:05 UTC>)\n"
    )
    assert attachment["footer"] == "Team agents, figures from platform"
    links = buttons(message)
    assert list(links) == ["Runbook", "Dashboard", "Silence", "Query"]
    assert links["Runbook"] == "http://127.0.0.1:3000/runbooks/AgentErrorsPage"
    assert links["Dashboard"] == here
    assert links["Query"] == QUERY
    assert silence_matchers(links["Silence"]) == (
        '{alertname="AgentErrorsPage",concern="agent-errors",environment="production",paging="true",'
        'severity="critical",source="platform",team="agents"}'
    )
    mail = delivery.mail("70% of all agent queries")

    delivery.send("AgentErrorsPage", about, 0.7, ends=OVER)
    (end,) = delivery.slack_message("Resolved: AgentErrorsPage in production")["attachments"]
    assert end["color"] == "good"
    text = r":white_check_mark: <([^|]*)\|production> is over since ([-0-9]+ [0-9:]+) UTC; it lasted \d+h(\d+m)?(\d+s)?"
    said = re.fullmatch(text, end["text"].strip())
    assert said, end["text"]
    window = query_of(said[1])
    assert window["from"] == HOUR_BEFORE
    assert 0 <= float(window["to"]) - moment(said[2]) - 300_000 < 1000, "until five minutes after the end"
    end_mail = delivery.mail("Resolved: production is over since")
    assert mail["Subject"] == end_mail["Subject"] == "[critical] AgentErrorsPage in production"
    assert mail["To"] == end_mail["To"] == "agents@example.com"
    assert "#2e7d32" in part(end_mail, "html") and "Runbook" not in part(end_mail, "html")


def test_odd_names_break_nothing(delivery: Delivery) -> None:
    about = {"environment": "staging", "agent": AGENT}
    delivery.send("AgentErrorRatioCritical", about, 0.25)
    message = delivery.slack_message("Critical: AgentErrorRatioCritical in staging")
    text = message["attachments"][0]["text"]
    assert '25% of the queries to agent R&amp;D &lt;"bot"&gt;|+1 Bcc: x@example.com in staging failed' in text
    assert '|agent R&amp;D &lt;"bot"&gt;/+1 Bcc: x@example.com in staging>: `25%`, alerts above 20%' in text
    links = buttons(message)
    assert query_of(links["Dashboard"])["var-agent"] == AGENT
    assert re.fullmatch(r"[^|<>\s]+", links["Dashboard"]), "nothing that could end a link in Slack's markup"
    matchers = silence_matchers(links["Silence"])
    assert r'agent="R&D <\"bot\">|+1\u2028\nBcc: x@example.com"' in matchers

    mail = delivery.mail("25% of the queries")
    plain, html = part(mail, "plain"), part(mail, "html")
    assert f"About:     agent {SHOWN} in staging" in plain
    assert links["Dashboard"] in plain
    assert silence_matchers(plain.split("Silence:")[1].split()[0]) == matchers
    assert "agent R&amp;D &lt;&#34;bot&#34;&gt;|&#43;1 Bcc: x@example.com in staging" in html
    assert '<"bot">' not in html
    found = {label: unescape(url) for url, label in re.findall(r'href="([^"]*)"[^>]*>([^<]*)</a>', html)}
    assert found["Dashboard"] == links["Dashboard"]
    assert found["Query"] == QUERY
    assert found["Runbook"].endswith("/runbooks/AgentErrorRatioCritical")
    assert silence_matchers(found["Silence"]) == matchers
    assert mail["Bcc"] is None


def test_no_label_adds_a_header_to_a_mail(delivery: Delivery) -> None:
    own = {"alertname": "Odd", "environment": "a\r\nBcc: x@example.com\r\n\r\nbody " + "long " * 40, "severity": "warning"}
    delivery.post({"labels": own})
    mail = delivery.mail("Warning: Odd")
    assert mail["Bcc"] is None and mail["To"] == "platform@example.com"
    assert str(mail["Subject"]).startswith("[warning] Odd in a Bcc: x@example.com body long")
    assert len(str(mail["Subject"])) < 100


def test_alerts_of_others_are_told_with_what_they_have(delivery: Delivery) -> None:
    delivery.post({"labels": {"alertname": "Foreign", "disk": "sda1"}, "annotations": {"summary": "A disk is full."}})
    message = delivery.slack_message("Alert: Foreign")
    text = message["attachments"][0]["text"]
    assert text.startswith(f"*A disk is full.*\n<{QUERY}|disk sda1>, since 2026-11-20")
    assert message["channel"] == "#platform-alerts"
    links = buttons(message)
    assert links["Runbook"] == links["Dashboard"] == links["Query"] == QUERY
    mail = delivery.mail("Alert: Foreign")
    assert mail["Subject"] == "[alert] Foreign"
    assert "Team unknown, severity unknown, figures from elsewhere." in part(mail, "plain")


@pytest.mark.parametrize(("count", "shown", "words"), [(17, 10, "and 7 more"), (10, 10, "")])
def test_a_message_about_many_stays_readable(delivery: Delivery, count: int, shown: int, words: str) -> None:
    where = f"env-{count}"
    (alert,) = (one for one in ALERTS if one.name == "AgentResponseTimeHigh")
    own = wording.rule_labels(alert) | {"alertname": alert.name, "environment": where}
    long = "long & <wide>" * 60
    delivery.post(*({"labels": own | {"agent": f"{n:02}{long}"}, "annotations": {"description": long}} for n in range(count)))
    text = delivery.slack_message(f"Warning: AgentResponseTimeHigh in {where} ({count})")["attachments"][0]["text"]
    assert len(text) < 8000, "Slack would cut it"
    assert text.count("|agent ") == shown
    assert text.strip().endswith(f"\n{words}" if words else ">)")
    mail = listing(delivery, where, count)
    assert part(mail, "html").count(">agent ") == count
    assert "wide" in text and long not in text

    delivery.post(
        *({"labels": own | {"agent": f"{n:02}{long}"}, "annotations": {"description": long}} for n in range(count)), ends=OVER
    )
    end = delivery.slack_message(f"Resolved: AgentResponseTimeHigh in {where}")["attachments"][0]["text"]
    assert len(end) < 8000
    assert end.count("is over since") == shown
    if words:
        assert end.strip().endswith(f":white_check_mark: {words}")
    else:  # of a whole minute no seconds are said
        assert re.search(r"; it lasted [0-9dhms]+$", end.strip())


def listing(delivery: Delivery, where: str, count: int) -> EmailMessage:
    """The mail that lists so many alerts; the first of them may have been told of before."""

    def find() -> EmailMessage | None:
        about = (one for one in delivery.mailbox.messages if str(one["Subject"]).endswith(where))
        return next((one for one in about if part(one, "plain").count("\n- agent ") == count), None)

    return until(find, lambda: f"mail about {count} agents in {where}")


def test_several_alerts_come_as_one_message_and_warnings_go_by_mail_too(delivery: Delivery) -> None:
    for scope in ("all", "production"):
        delivery.send("CostBudgetNearlySpent", {"scope": scope}, 0.85)
    message = delivery.slack_message("Warning: CostBudgetNearlySpent (2)", "budget all")
    assert "budget production" in message["attachments"][0]["text"]
    assert message["channel"] == "#cost-alerts"
    matchers = silence_matchers(buttons(message)["Silence"])
    assert 'alertname="CostBudgetNearlySpent"' in matchers and "scope" not in matchers
    assert delivery.mail("- budget all: 85%, alerts above 80%, since")["Subject"] == "[warning] CostBudgetNearlySpent"


def test_nothing_is_left_unfilled_and_the_history_has_it_all(delivery: Delivery) -> None:
    delivery.send("AgentSuccessRateLow", {"environment": "production", "agent": "billing"}, 0.5)
    delivery.slack_message("Warning: AgentSuccessRateLow in production")
    mail = delivery.mail("50% of the conversations")
    everything = [json.dumps(delivery.slack), part(mail, "plain"), part(mail, "html"), str(mail["Subject"])]
    assert not [text for text in everything if "no value" in text or "{{" in text or "ZgotmplZ" in text]

    def named() -> bool | None:
        told = {alert["labels"]["alertname"] for message in delivery.webhooks.got["history"] for alert in message["alerts"]}
        return "AgentSuccessRateLow" in told or None

    assert until(named, lambda: "history of AgentSuccessRateLow")


def test_the_labels_that_say_who_is_told_are_no_part_of_what_it_is_about() -> None:
    texts = templates.files(Settings())
    left_out = {
        tuple(re.findall(r'"(\w+)"', found)) for text in texts.values() for found in re.findall(r"stringSlice ([^)]*)", text)
    }
    assert len(left_out) == 1, "Slack and mail leave out the same labels"
    own = {label for alert in ALERTS for label in wording.rule_labels(alert)}
    assert own | {"alertname", "environment"} <= set(*left_out)
