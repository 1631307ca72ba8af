"""What is equal is equal in its normalised form, and what is secret is not in it."""

from __future__ import annotations

from typing import Any

import pytest

from provisioning.targets import routing, rule_groups
from provisioning.targets.mark import TEMPLATE, YAML

CANARY = "canary-4711"


def rule(**parts: Any) -> dict[str, Any]:
    return {"name": "one", "rules": [{"alert": "A", "expr": "up == 0", **parts}]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (rule(), rule(expr="up  ==  0")),
        (rule(), rule(expr="up == 0.0")),
        (rule(), rule(**{"for": "0s", "keep_firing_for": "0m"})),
        (rule(), rule(labels={}, annotations=None)),
        (rule(**{"for": "90s"}), rule(**{"for": "1m30s"})),
        ({**rule(), "interval": "60s"}, {**rule(), "interval": "1m"}),
        ({**rule(), "limit": 0}, rule()),
    ],
)
def test_rules_that_mean_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert rule_groups.normal(one) == rule_groups.normal(other)


@pytest.mark.parametrize(
    "other",
    [
        rule(expr="up == 1"),
        rule(**{"for": "1m"}),
        rule(labels={"a": "b"}),
        {**rule(), "interval": "1m"},
        {**rule(), "limit": 5},
    ],
)
def test_rules_that_do_not(other: dict[str, Any]) -> None:
    assert rule_groups.normal(rule()) != rule_groups.normal(other)


@pytest.mark.parametrize("body", [b"{{", b"- a", b"groups: 5", b"groups: [{rules: []}]", b"groups: [1]"])
def test_what_is_no_rule_file(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"cannot be read as YAML|no list `groups`"):
        rule_groups.parsed(body)


@pytest.mark.parametrize("body", [b"", b"# nothing\n", b"groups: []", b"groups:"])
def test_a_rule_file_without_rules(body: bytes) -> None:
    assert rule_groups.parsed(body) == []


def test_values_are_texts_as_prometheus_reads_them() -> None:
    (group,) = rule_groups.parsed(b"groups: [{name: 1, rules: [{alert: A, expr: 1, labels: {paging: true, since: 09:00}}]}]")
    assert group["rules"][0]["labels"] == {"paging": "true", "since": "09:00"}


def configuration(text: str) -> Any:
    return routing.parsed(f"route: {{receiver: a}}\nreceivers: [{{name: a}}]\n{text}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{receiver: a, matchers: [team=x]}", "{receiver: a, match: {team: x}}"),
        ("{receiver: a, matchers: ['team=~\"x|y\"']}", "{receiver: a, match_re: {team: 'x|y'}}"),
        ("{receiver: a, matchers: [a=1, b=2]}", "{receiver: a, matchers: ['b = \"2\"', a=1]}"),
        ("{receiver: a, continue: false, group_wait: 90s}", "{receiver: a, group_wait: 1m30s}"),
        ("{receiver: a, continue: yes}", "{receiver: a, continue: true}"),
        ("{receiver: a, group_by: [a, b]}", "{receiver: a, group_by: [b, a]}"),
    ],
)
def test_routes_that_mean_the_same(one: str, other: str) -> None:
    found = [routing.parsed(f"{{route: {{receiver: a, routes: [{text}]}}, receivers: [{{name: a}}]}}") for text in (one, other)]
    assert found[0] == found[1]


def test_times_that_mean_the_same() -> None:
    old = configuration("mute_time_intervals: [{name: n, time_intervals: [{weekdays: [Monday:wednesday]}]}]")
    new = configuration("time_intervals: [{name: n, time_intervals: [{weekdays: [wednesday, monday, tuesday]}]}]")
    assert old == new


@pytest.mark.parametrize(
    "text",
    [
        f"global: {{smtp_auth_password: {CANARY}}}",
        f"global: {{slack_api_url: 'http://127.0.0.1/{CANARY}'}}",
        f"global: {{http_config: {{basic_auth: {{username: x, password: {CANARY}}}}}}}",
        f"global: {{http_config: {{authorization: {{credentials: {CANARY}}}}}}}",
        f"global: {{http_config: {{oauth2: {{client_secret: {CANARY}}}}}}}",
        f"global: {{http_config: {{proxy_url: 'http://me:{CANARY}@127.0.0.1:1'}}}}",
        f"global: {{opsgenie_api_key: {CANARY}}}",
        f"receivers: [{{name: a, webhook_configs: [{{url: 'http://127.0.0.1/?key={CANARY}'}}]}}]",
        f"receivers: [{{name: a, webhook_configs: [{{url: 'http://me:{CANARY}@127.0.0.1'}}]}}]",
        f"receivers: [{{name: a, webhook_configs: [{{url: 'smtp://me:{CANARY}@127.0.0.1'}}]}}]",
        f"receivers: [{{name: a, pagerduty_configs: [{{routing_key: {CANARY}, service_key: {CANARY}}}]}}]",
        f"receivers: [{{name: a, pushover_configs: [{{user_key: {CANARY}, token: {CANARY}}}]}}]",
        f"receivers: [{{name: a, telegram_configs: [{{bot_token: {CANARY}}}]}}]",
        f"receivers: [{{name: a, sns_configs: [{{sigv4: {{access_key: {CANARY}, secret_key: {CANARY}}}}}]}}]",
        f"receivers: [{{name: a, discord_configs: [{{webhook_url: 'https://127.0.0.1/{CANARY}'}}]}}]",
        f"receivers: [{{name: a, wechat_configs: [{{api_secret: {CANARY}}}]}}]",
        f"receivers: [{{name: a, webhook_configs: [{{http_config: {{http_headers: {{X: {{secrets: [{CANARY}]}}}}}}}}]}}]",
    ],
)
def test_no_secret_is_in_a_document(text: str) -> None:
    document = routing.parsed(f"route: {{receiver: a}}\n{text}")
    assert CANARY not in repr(document)
    assert len(document) > 1


@pytest.mark.parametrize("text", ["match: [a]", "match_re: b", "routes: [{match: 5}]", "matchers: {a: b}", "group_by: 5"])
def test_a_route_that_is_written_wrongly_can_be_compared(text: str) -> None:
    """Alertmanager refuses it, and says why; a plan shows what it is to become."""
    assert routing.parsed(f"route: {{receiver: a, {text}}}") != routing.parsed("route: {receiver: b}")


def test_another_address_of_the_same_host_is_another_one() -> None:
    one, other = (
        routing.parsed(
            f"route: {{receiver: a}}\nreceivers: [{{name: a, webhook_configs: [{{url: 'http://127.0.0.1/{path}'}}]}}]"
        )
        for path in ("a", "b")
    )
    assert one != other


@pytest.mark.parametrize("comment", [YAML, TEMPLATE])
def test_a_mark_is_put_on_and_taken_off_to_the_byte(comment: Any) -> None:
    for body in (b"", b"a: 1", b"# by hand\na: 1\r\n", b"\xff\xfe", b"# Owned by nobody in particular\n"):
        marked = comment.marked(body, "me")
        assert (comment.owner(body), comment.owner(marked)) == ("", "me")
        assert comment.owner(comment.marked(marked, "you")) == "you"
        assert comment.marked(marked, "") == body
