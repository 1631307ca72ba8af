"""Rules that are wrong, with what is found, and such as are left in peace, by check."""

from __future__ import annotations

from typing import Any

from tests.provisioning.expression_cases import BUILD, P95, RUNNING, Group

ALERT = {
    "alert": "Slow",
    "expr": f"{P95} > 5",
    "for": "1m",
    "labels": {"team": "agents", "severity": "warning"},
    "annotations": {
        "summary": "Slow.", "description": "{{ $labels.agent }}: {{ $value | humanizeDuration }}",
        "runbook_url": "http://x", "dashboard_url": "http://x",
    },
}  # fmt: skip


def alert(**changes: Any) -> dict[str, Any]:
    """An alert that is right but for the changes; those of annotations and labels are changed one by one."""
    changed = {
        key: {**ALERT[key], **value} if isinstance(value, dict) else value  # type: ignore[dict-item]
        for key, value in changes.items()
    }
    return {**ALERT, **changed}


def group(*rules: dict[str, Any], name: str = "g", interval: str = "15s") -> Group:
    return {"name": name, "interval": interval, "rules": list(rules)}


def record(name: str, expr: str, **labels: str) -> dict[str, Any]:
    return {"record": name, "expr": expr, **({"labels": labels} if labels else {})}


def says(text: str) -> dict[str, Any]:
    return alert(annotations={"description": text})


def counts(expr: str, **changes: Any) -> dict[str, Any]:
    """An alert on a plain number."""
    return alert(expr=expr, annotations={"description": "{{ $labels.agent }}: {{ $value | humanize }}"}, **changes)


def total(expr: str, **changes: Any) -> dict[str, Any]:
    """An alert on one number of the whole platform."""
    return alert(expr=expr, annotations={"description": "{{ $value | humanize }}"}, **changes)


ONE = record("agent:running:sum", f"sum by (agent) ({RUNNING})")
TWO = record("agent:running:double", "2 * agent:running:sum")
READS = alert(expr="agent:running:double > 5", annotations={"description": "{{ $labels.agent }}: {{ $value }}"})
PAGE = {"team": "agents", "severity": "critical", "paging": "true"}

RULES_WRONG: list[tuple[str, list[Group], str, str]] = [
    ("rules/group-name", [group(), group()], "rule group g", "2 groups have this name"),
    ("rules/group-size", [group(*(alert(alert=f"A{n}", expr=f"{P95} > {n}") for n in range(1, 22)))],
     "rule group g", "21 rules"),
    ("rules/same-name", [group(alert(), alert(expr=f"{P95} > 6"))], "alert Slow", "2 rules have this name"),
    ("rules/same-name", [group(record("a:b:c", f"sum({RUNNING})"), record("a:b:c", f"max({RUNNING})"), alert(
        expr="a:b:c > 3", annotations={"description": "x"}))], "recording rule a:b:c", "2 rules have this name"),
    ("rules/same-expression", [group(alert(), alert(alert="Slower"))], "alert Slower", "asks the same as alert Slow"),
    ("rules/unused", [group(ONE)], "recording rule agent:running:sum", "nobody reads this series"),
    ("rules/order", [group(TWO, ONE, READS)], "recording rule agent:running:double", "records after it"),
    ("rules/delay", [group(ONE, TWO, name="s", interval="1m"), group(READS)],
     "alert Slow", "may be 1m old: agent:running:double"),
    ("rules/delay", [group(ONE, name="a", interval="30s"), group(TWO, name="b", interval="30s"),
                     group({**READS, "labels": PAGE, "for": "30s"}, interval="30s")], "alert Slow", "may be 1m old"),
    ("alerts/hold", [group(alert(**{"for": "10s"}))], "alert Slow", "for 10s is shorter than the interval"),
    ("alerts/hold", [group(alert(**{"for": "40s"}))], "alert Slow", "for 40s is no multiple"),
    ("alerts/hold", [group(alert(keep_firing_for="50s"))], "alert Slow", "keep_firing_for 50s is no multiple"),
    ("alerts/hold", [group(alert(**{"for": "soon"}))], "alert Slow", "for: 'soon' is not a duration"),
    ("alerts/annotation", [group(alert(annotations={"summary": ""}))], "alert Slow", "annotation summary is missing"),
    ("alerts/team", [group(alert(labels={"team": "nobody"}))], "alert Slow", "team nobody is not in the settings"),
    ("alerts/team", [group({**alert(), "labels": {"severity": "info"}})], "alert Slow", "team None is not in the settings"),
    ("alerts/template-label", [group(says("{{ $labels.version }}"))], "alert Slow, description", "version does not survive"),
    ("alerts/template-label", [group(alert(labels={"tier": "{{ .Labels.version }}"}))], "alert Slow, tier", "version does not"),
    ("alerts/template-label", [group(alert(expr=f"absent({RUNNING})", annotations={"description": "{{ $labels.agent }}"}))],
     "alert Slow, description", "agent does not survive"),
    ("alerts/template-function", [group(says("{{ $value | humaniseDuration }}"))], "alert Slow, description",
     "no function humaniseDuration"),
    ("alerts/template-function", [group(says("{{ $value }"))], "alert Slow, description", "its braces do not match"),
    ("alerts/value-unit", [group(says("{{ $value | humanizePercentage }}"))],
     "alert Slow, description", "the value is in seconds"),
    ("alerts/value-unit", [group(says('{{ printf "%.0f USD" $value }}'))], "alert Slow, description", "USD is for usd"),
    ("alerts/value-unit", [group(alert(expr="100 * max by (agent) (platform_goal_success_ratio) < 90",
                                       annotations={"description": "{{ $value | humanizePercentage }}"}))],
     "alert Slow, description", "the value is in percent"),
    ("alerts/empty-value", [group(alert(expr=f"{P95} > bool 5", annotations={"description": "{{ $labels.agent }}"}))],
     "alert Slow", "always fires"),
    ("alerts/empty-value", [group(alert(expr=f"absent({RUNNING})", annotations={"description": "{{ $value }}"}))],
     "alert Slow, description", "$value is always 1"),
    ("alerts/no-condition", [group(alert(expr=P95))], "alert Slow", "compares nothing"),
    ("alerts/name", [group(alert(alert="slow_queries"))], "alert slow_queries", "not in CamelCase"),
    ("alerts/name", [group(alert(alert="Slow" * 11))], f"alert {'Slow' * 11}", "44 characters"),
    ("alerts/severity", [group(alert(labels={"severity": "page"}))], "alert Slow", "severity page"),
    ("alerts/severity", [group({**ALERT, "labels": {"team": "agents"}})], "alert Slow", "has no severity"),
    ("alerts/summary", [group(alert(annotations={"summary": "it is slow"}))], "alert Slow", "no sentence: it is slow"),
    ("alerts/summary", [group(alert(annotations={"summary": "In {{ humanizeDuration $value }}."}))],
     "alert Slow", "a value in it"),
    ("alerts/description", [group(says("It is slow."))], "alert Slow", "the same for every series"),
    ("alerts/absent-hold", [group(alert(expr=f"absent({RUNNING})", annotations={"description": "Gone."}, **{"for": "15s"}))],
     "alert Slow", "without a hold of 30s"),
    ("alerts/partial-start", [group({**total(f"sum({RUNNING}) / max(platform_users) > 5"), "for": "0s"})],
     "alert Slow", "holds figures of platform against those of postgres from the first scrape on"),
    ("alerts/value-in-label", [group(alert(labels={"size": "{{ $value }}"}))], "alert Slow, size", "the value in it"),
    ("alerts/raw-value", [group(alert(expr="sum by (agent) (rate(agent_queries_total[5m])) > 5",
                                      annotations={"description": "{{ $labels.agent }}: {{ $value }}"}))],
     "alert Slow, description", "a rate as it is"),
    ("rules/interval", [group(alert(**{"for": "10m"}), interval="10m")], "rule group g", "every 10m, and a sample"),
    ("rules/record-name", [group(record("running_agents", f"sum({RUNNING})"), {**READS, "expr": "running_agents > 5",
                           "annotations": {**READS["annotations"], "description": "Some."}})],
     "recording rule running_agents", "does not say that it is recorded"),
    ("promql/recorded", [group(ONE, counts(f"sum by (agent) ({RUNNING}) * 2 > 5"), counts(
        "agent:running:sum > 7", alert="Other"))], "alert Slow", "asks again what agent:running:sum records"),
    ("promql/unstable-selection", [group(counts(f"topk(3, sum by (agent) ({RUNNING})) > 5"))], "alert Slow",
     "topk chooses the alerts that fire anew"),
    ("promql/unstable-selection", [group(record("agent:top:sum", f"bottomk(3, sum by (agent) ({RUNNING}))"), counts(
        "agent:top:sum > 5"))], "recording rule agent:top:sum", "bottomk chooses the recorded series anew"),
]  # fmt: skip

RULES_RIGHT: dict[str, list[list[Group]]] = {
    "rules/group-name": [[group(), group(name="h")]],
    "rules/group-size": [[group(*(alert(alert=f"A{n}", expr=f"{P95} > {n}") for n in range(1, 21)))]],
    "rules/same-name": [[group(record("a:b:c", f'sum by (agent) ({RUNNING}{{agent="a"}})'),
                               record("a:b:c", f'max by (agent) ({RUNNING}{{agent="b"}})'),
                               alert(expr="sum(a:b:c) > 3", annotations={"description": "x"}))],
                        [group(alert(), alert(expr=f"{P95} > 6", labels={"severity": "critical"}))]],
    "rules/same-expression": [[group(record("a:b:c", "vector(1)"), record("a:b:d", "vector(1)"),
                                     alert(expr="sum(a:b:c) + sum(a:b:d) > 3", annotations={"description": "x"}))],
                              [group(alert(), alert(alert="Slower", expr=f"{P95} > 6"))]],
    "rules/unused": [[group(ONE, TWO, READS)]],
    "rules/order": [[group(ONE, TWO, READS)]],
    "rules/delay": [
        [group(ONE, name="a"), group(TWO, name="b"), group(READS)],
        [group(ONE, name="a"), group(TWO, name="b"), group({**READS, "labels": PAGE, "for": "0s"})],
        [group(ONE, name="a", interval="30s"), group(TWO, name="b", interval="30s"),
         group({**READS, "labels": PAGE, "for": "1m"}, interval="30s")],
    ],
    "alerts/hold": [[group(alert(**{"for": "45s"}, keep_firing_for="2m"))], [group({**ALERT, "for": "0s"})]],
    "alerts/annotation": [[group(alert())]],
    "alerts/team": [
        [group(alert(labels={"team": "finance"}))],
        [group(record("slo:burn:rate", f"sum({RUNNING})", team="agents"),
               {**alert(expr="slo:burn:rate > 2", annotations={"description": "{{ $labels.team }}"}),
                "labels": {"severity": "info"}})],
    ],
    "alerts/template-label": [[group(alert(labels={"tier": "gold"}, annotations={"description": "{{ $labels.tier }}"}))]],
    "alerts/template-function": [[group(says('{{ with query "up" }}{{ . | first | value | humanize }}{{ end }}'))]],
    "alerts/value-unit": [
        [group(alert(expr="max by (agent) (platform_goal_success_ratio) < 0.9",
                     annotations={"description": "{{ $value | humanizePercentage }}"}))],
        [group(alert(expr="time() - max by (agent) (agent_deployment_timestamp_seconds) > 60"))],
        [group(alert(expr="sum by (agent) (rate(agent_query_duration_seconds_sum[5m])) / "
                          "(sum by (agent) (rate(agent_query_duration_seconds_count[5m])) > 0) > 5"))],
        [group(says("{{ $labels.agent }} {{ humanizePercentage 0.5 }}"))],
    ],
    "alerts/empty-value": [[group(alert(expr=f"sum by (agent) ({RUNNING} > bool 5) > 3"))]],
    "alerts/name": [[group(alert(alert="HTTPErrors2Many"))], [group(alert(alert="Abcde" * 8))]],
    "alerts/severity": [[group(alert(labels={"severity": "critical"}))], [group(alert(labels={"severity": "info"}))]],
    "alerts/summary": [[group(alert(annotations={"summary": "Is {{ $labels.agent }} slow?"}))]],
    "alerts/description": [
        [group(alert(expr="vector(1) > 0", annotations={"description": "Nothing varies."}))],
        [group(says("{{ $labels.agent }} is slow."))],
    ],
    "alerts/absent-hold": [
        [group(alert(expr=f"absent({RUNNING})", annotations={"description": "Gone."}, **{"for": "30s"}))],
        [group({**alert(expr=f"absent_over_time({RUNNING}[1m])", annotations={"description": "Gone."}), "for": "0s"})],
    ],
    "alerts/partial-start": [
        [group(total(f"sum({RUNNING}) / max(platform_users) > 5"))],
        [group({**counts(f"sum by (agent) ({RUNNING}) / sum by (agent) ({BUILD}) > 5"), "for": "0s"})],
        [group({**total("max(platform_users) * 2 > 5"), "for": "0s"})],
    ],
    "alerts/value-in-label": [[group(alert(labels={"size": "{{ $labels.agent }}"}))]],
    "alerts/raw-value": [
        [group(alert(expr="sum by (agent) (rate(agent_queries_total[5m])) > 5",
                     annotations={"description": "{{ $labels.agent }}: {{ $value | humanize }}"}))],
        [group(alert(expr=f"sum by (agent) ({RUNNING}) > 5", annotations={"description": "{{ $labels.agent }} {{ $value }}"}))],
    ],
    "rules/interval": [
        [group(alert(**{"for": "5m"}), interval="5m")],
        [group(alert(keep_firing_for="10m", **{"for": "10m"}), interval="10m")],
    ],
    "rules/record-name": [[group(ONE, TWO, READS)]],
    "promql/recorded": [
        [group(ONE, alert(expr=f"sum by (environment) ({RUNNING}) > 5", annotations={"description": "{{ $value }}"}),
               counts("agent:running:sum > 7", alert="Other"))],
        [group(record("agent:one:sum", RUNNING), counts(f"sum by (agent) ({RUNNING}) > 5"),
               counts("max by (agent) (agent:one:sum) > 7", alert="Other"))],
    ],
    "promql/unstable-selection": [
        [group(counts(f"sum by (agent) ({RUNNING}) > 5 and topk by (agent) (1, sum by (agent) ({RUNNING}))"))],
        [group(counts(f"topk by (agent) (1, group by (agent, version) ({BUILD})) > 0"))],
    ],
    "alerts/no-condition": [
        [group(alert(expr="vector(1)", annotations={"description": "Always."}))],
        [group(alert(expr=f"absent({RUNNING})", annotations={"description": "Gone."}))],
        [group(counts(f"sum by (agent) ({RUNNING}) unless on (agent) sum by (agent) ({BUILD})"))],
    ],
}  # fmt: skip
