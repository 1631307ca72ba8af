"""Every check of expressions and of rules: what it finds, and what it leaves in peace."""

from __future__ import annotations

from typing import Any

import pytest

from contract.settings import Settings
from provisioning.check.catalogue import CHECKS
from provisioning.check.expressions import Inspector
from provisioning.check.known import known_series
from provisioning.check.lint.catalogue import EXPRESSION_CHECKS, REMOVED_FUNCTION, RULE_CHECKS, SYNTAX
from provisioning.check.rules import rule_findings

Group = dict[str, Any]

FAST: Group = {
    "name": "fast",
    "interval": "15s",
    "rules": [
        {"record": "agent:queries:rate5m", "expr": "sum by (environment, agent, status) (rate(agent_queries_total[5m]))"},
        {"record": "agent:seconds_bucket:rate5m",
         "expr": "sum by (environment, agent, le) (rate(agent_query_duration_seconds_bucket[5m]))"},
        {"record": "agent:queries:sum", "expr": "sum by (agent) (agent_queries_total)"},
        {"record": "agent:running:sum", "expr": "sum by (agent) (agent_queries_in_progress)"},
    ],
}  # fmt: skip
SLOW: Group = {
    "name": "slow",
    "interval": "5m",
    "rules": [
        {"record": "agent:errors:ratio",
         "expr": 'sum by (agent) (agent:queries:rate5m{status="failed"}) / (sum by (agent) (agent:queries:rate5m) > 0)'},
        {"record": "agent:seconds:p95", "expr": "histogram_quantile(0.95, sum by (agent, le) (agent:seconds_bucket:rate5m))"},
        {"record": "slo:objective:ratio", "expr": "vector(0.99)", "labels": {"slo": "clerk"}},
        {"record": "slo:objective:ratio", "expr": "vector(0.9)", "labels": {"slo": "other"}},
    ],
}  # fmt: skip
INSPECTOR = Inspector.of(Settings(), known_series([FAST, SLOW]))
BUCKETS = "agent_query_duration_seconds_bucket"
P95 = f"histogram_quantile(0.95, sum by (le, agent) (rate({BUCKETS}[5m])))"
RUNNING, BUILD = "agent_queries_in_progress", "agent_build_info"

WRONG: list[tuple[str, str, str, str]] = [
    (SYNTAX, "sum(", "not PromQL", "sum("),
    (SYNTAX, 'up{job=~"a("}', "illegal regex", ""),
    (REMOVED_FUNCTION, f"holt_winters({RUNNING}[1h], 0.5, 0.5)", "no function holt_winters", "double_exponential_smoothing"),
    ("promql/unknown-metric", "sum(agent_querys_in_progress)", "unknown metric agent_querys", "agent_queries_in_progress?"),
    ("promql/unknown-metric", '{__name__="nothing"}', "unknown metric nothing", ""),
    ("promql/removed-record", "agent:query:rate5m", "no rule records agent:query:rate5m", "did you mean agent:queries:rate5m?"),
    ("promql/unknown-label", 'rate(agent_queries_total{agnet="x"}[5m])', "has no label agnet", "did you mean agent?"),
    ("promql/impossible-selector", 'rate(platform_conversations_ended_total{goal="achived"}[5m])',
     "label goal is never 'achived'", "did you mean achieved?"),
    ("promql/impossible-selector", 'rate(platform_conversations_ended_total{goal=~"won|lost"}[5m])',
     'no value of label goal meets goal=~"won|lost"', "known: achieved"),
    ("promql/impossible-selector", 'rate(platform_conversations_ended_total{goal=~"a.+",goal!="achieved"}[5m])',
     'nothing matches goal=~"a.+", goal!="achieved" at once', "keep one of them"),
    ("promql/impossible-selector", f'{RUNNING}{{agent="a",agent=~"b.*"}}', "nothing matches", "keep one of them"),
    ("promql/impossible-selector", f'{RUNNING}{{environment="prodution"}}', "never 'prodution'", "did you mean production?"),
    ("promql/impossible-selector", f'{RUNNING}{{agent!~".*"}}', "excludes everything", "leave the selector away"),
    ("promql/impossible-selector", 'last_over_time(slo:objective:ratio{slo="clark"}[15m])', "never 'clark'", "mean clerk?"),
    ("promql/dead-alternative", 'rate(platform_conversations_ended_total{goal=~"achieved|mised"}[5m])',
     "label goal is never 'mised'", "did you mean missed?"),
    ("promql/plain-regex", f'{RUNNING}{{agent=~"clerk"}}', "regular expression for one word", 'agent="clerk"'),
    ("promql/plain-regex", f'{RUNNING}{{agent!~"clerk"}}', "regular expression for one word", 'agent!="clerk"'),
    ("promql/useless-anchor", f'{RUNNING}{{agent=~"^a.+$"}}', "anchors do nothing", 'agent=~"a.+"'),
    ("promql/matches-everything", f'{RUNNING}{{agent=~".*"}}', "matches everything", "leave it away"),
    ("promql/bare-dot", f'{BUILD}{{version=~"1.2|1[.]3"}}', "a point matches any character", 'version=~"1[.]2|1[.]3"'),
    ("promql/bucket-bound", f'rate({BUCKETS}{{le="5"}}[5m])', "misses the other spelling", 'le=~"5|5[.]0"'),
    ("promql/bucket-bound", f'rate({BUCKETS}{{le="5.0"}}[5m])', "misses the other spelling", 'le=~"5|5[.]0"'),
    ("promql/bucket-bound", f'rate({BUCKETS}{{le=~"5|0[.]5"}}[5m])', "misses the other spelling", 'le=~"5|5[.]0"'),
    ("promql/bucket-bound", f'rate({BUCKETS}{{le="4"}}[5m])', "has no bucket that ends at 4", "near: 3.7, 5"),
    ("promql/bucket-bound", 'agent:seconds_bucket:rate5m{le="4"}', "has no bucket that ends at 4", "near: 3.7, 5"),
    ("promql/bucket-bound", f'rate({BUCKETS}{{le="five"}}[5m])', 'no bucket for le="five"', "its bounds: 0.05"),
    ("promql/bucket-bound", 'rate(gen_ai_client_token_usage_bucket{le="1048576"}[5m])', "other spelling", "e[+]06"),
    ("promql/other-dialect", f'{RUNNING}{{agent="a" or agent="b"}}', "VictoriaMetrics'", "joined by or"),
    ("promql/experimental", f"mad_over_time({RUNNING}[5m])", "mad_over_time is experimental", "say it without"),
    ("promql/experimental", f"limitk(3, {RUNNING})", "limitk is experimental", "say it without"),
    ("promql/experimental", f"sum({RUNNING}) + fill(0) sum({BUILD})", "fill is experimental", "0 *"),
    ("promql/counter-without-rate", "sum(agent_queries_total)", "is a counter and is read without rate", "rate("),
    ("promql/counter-without-rate", "max(agent:queries:sum)", "agent:queries:sum is a counter", "rate("),
    ("promql/rate-of-gauge", f"rate({RUNNING}[5m])", f"rate of {RUNNING}, which is a gauge", "delta or deriv"),
    ("promql/rate-of-gauge", "increase(agent:running:sum[5m])", "which is a recorded figure", "delta or deriv"),
    ("promql/slope-of-counter", "deriv(agent_queries_total[5m])", "a restart looks like a fall", "increase("),
    ("promql/slope-of-counter", "predict_linear(agent_queries_total[5m], 600)", "which is a counter", "increase("),
    ("promql/rate-of-sum", "rate(agent:queries:sum[5m])", "rate of a sum of counters", "sum(rate(…))"),
    ("promql/rate-of-sum", "rate(sum by (agent) (agent_queries_total)[5m:1m])", "rate of a sum", "sum(rate(…))"),
    ("promql/sum-of-replicas", "sum by (role) (platform_users)", "once for each replica", "max without (instance)"),
    ("promql/sum-of-replicas", "sum(sum by (agent, instance) (rate(platform_handoffs_total[5m])))", "for each replica", "max"),
    ("promql/sum-of-quantiles", f"sum({P95})", "sum of quantiles", "or the max"),
    ("promql/sum-of-quantiles", "avg(last_over_time(agent:seconds:p95[15m]) > 1)", "avg of quantiles", "or the max"),
    ("promql/average-of-ratios", "avg(platform_goal_success_ratio)", "average of ratios", "sum(part) / sum(whole)"),
    ("promql/average-of-ratios", "avg_over_time(agent:errors:ratio[1h])", "average over time of agent:errors:ratio", "sums"),
    ("promql/average-of-ratios", "avg_over_time(agent:seconds:p95[1h])", "average over time", "the quantile over"),
    ("promql/quantile-without-le", f"histogram_quantile(0.9, sum by (agent) (rate({BUCKETS}[5m])))", "without le", "keep le"),
    ("promql/rate-window", "rate(agent_queries_total[20s])", "rate over 20s never sees two samples", "at least 1m"),
    ("promql/rate-window", "rate(agent_queries_total[45s])", "has a hole wherever one of 15s is lost", "at least 1m"),
    ("promql/rate-window", "delta(agent:errors:ratio[9m])", "delta over 9m never sees two samples", "at least 20m"),
    ("promql/short-window", f"max_over_time({RUNNING}[15s])", "finds one sample at most", "at least 30s"),
    ("promql/short-window", "last_over_time(agent:errors:ratio[4m])", "one comes every 5m", "at least 10m"),
    ("promql/stale-record", "agent:errors:ratio", "recorded every 5m, and Prometheus forgets after 5m", "[15m])"),
    ("promql/subquery-step", f"max_over_time({RUNNING}[1h:1h])", "has one point only", "a step below 1h"),
    ("promql/subquery-step", f"max_over_time({RUNNING}[1h:5s])", "as often as there is something new", ":15s"),
    ("promql/subquery-step", f"max_over_time({RUNNING}[30d:15s])", "has 172800 points", "a longer step"),
    ("promql/retention", "rate(agent_queries_total{agent='a'}[41d])", "looks back 41d, but Prometheus keeps 40d", "shorter"),
    ("promql/retention", "rate(agent_queries_total{agent='a'}[1d] offset 40d)", "looks back 41d", ""),
    ("promql/retention", "max_over_time(rate(agent_queries_total{agent='a'}[1d])[39d12h:1h])", "looks back 40d12h", ""),
    ("promql/grouping-label", "sum by (agnet) (rate(agent_queries_total[5m]))", "by (agnet): there is no", "mean agent?"),
    ("promql/grouping-label", "max without (pod) (auth_sessions_active)", "without (pod): there is no such label", "known:"),
    ("promql/grouping-label", "sum by (version) (agent:running:sum)", "by (version): there is no", "known: agent"),
    ("promql/matching-label", f"sum({RUNNING}) * on (pool) sum by (pool) (db_pool_pending_requests)",
     "on (pool): one side has no such label", ""),
    ("promql/matching-label", f"sum by (agent) ({RUNNING}) * on (agent) group_left (pool) sum by (agent) ({BUILD})",
     "group modifier (pool): the other side has no such label", ""),
    ("promql/cardinality", f"sum by (agent, environment) ({RUNNING}) * on (agent) sum by (agent) ({BUILD})",
     "the left side can have several series that differ in environment", "group_left"),
    ("promql/cardinality", f"sum by (agent) ({RUNNING}) / on (agent) sum by (agent, version) ({BUILD})",
     "the right side can have several series that differ in version", "group_right"),
    ("promql/cardinality", f"{RUNNING} * on (agent) group_left (version) {BUILD}", "the side that is to be one can", "first"),
    ("promql/cardinality", f"sum by (agent, version) ({BUILD}) / on (agent) sum by (agent, version) ({BUILD})",
     "both sides can have several series that differ in version", "match on these"),
    ("promql/cardinality", f"sum by (agent) ({RUNNING}) * on (agent) group_left () topk by (version) (1, {BUILD})",
     "several series that differ in version", "first"),
    ("promql/cardinality", f"{RUNNING} / on (agent, environment) agent_conversations_active", "differ in instance", "match on"),
    ("promql/never-matches", f"sum by (agent, version) ({BUILD}) * sum by (agent) ({RUNNING})", "only one side has version",
     "ignoring (version)"),
    ("promql/never-matches", f"sum({RUNNING}) and {RUNNING}", "and never matches: only one side has agent", "ignoring"),
    ("promql/never-matches",
     'sum by (status) (rate(agent_queries_total{status="failed"}[5m])) / '
     'sum by (status) (rate(agent_queries_total{status="success"}[5m]))',
     "status is 'failed' on one side and 'success' on the other", "ignoring (status)"),
    ("promql/absent-of-several", 'absent(up{job=~"platform|exporter"})', "only when all of them are gone", "one absent(up{job"),
    ("promql/decided", f"{P95} > 400", "> 400 is never true: the figure lies between 0 and 320", "a number between 0 and 320"),
    ("promql/decided", 'sum(rate(agent_queries_total{status="failed"}[5m])) / (sum(rate(agent_queries_total[5m])) > 0) > 1',
     "> 1 is never true", "between 0 and 1"),
    ("promql/decided", "max(last_over_time(agent:errors:ratio[15m])) >= 1.5", "is never true", "between 0 and 1"),
    ("promql/decided", "sum(rate(agent_queries_total[5m])) < 0", "is never true: the figure lies at or above 0", "another"),
    ("promql/decided", "0 <= sum(rate(agent_queries_total[5m]))", "is always true", "another number"),
    ("promql/decided", "up == 2", "== 2 is never true", "between 0 and 1"),
    ("promql/cost", "rate(agent_queries_total[2h])", "reads about", "there is agent:queries:rate5m"),
    ("promql/nan", f"sum by (environment) ({RUNNING} / agent_conversations_active)", "makes the whole sum NaN", "divide sums"),
    ("promql/nan", f"avg(1 / {RUNNING})", "makes the whole avg NaN", "> 0"),
    ("promql/nan", f"sum(abs({RUNNING} % clamp_min({RUNNING}, 0)))", "one group that divides by 0", "> 0"),
]  # fmt: skip

RIGHT: dict[str, tuple[str, ...]] = {
    SYNTAX: (f"sum({RUNNING})",),
    REMOVED_FUNCTION: (f"deriv({RUNNING}[1h])",),
    "promql/unknown-metric": (
        '{__name__="up"}',
        "sum(rate(gen_ai_invoke_agent_duration_seconds_count[5m]))",
        '{job="platform"}',
    ),
    "promql/removed-record": ("sum(agent:queries:rate5m)",),
    "promql/unknown-label": (f'{RUNNING}{{agent="a"}}', 'ALERTS{alertstate="firing",anything="x"}'),
    "promql/impossible-selector": (
        'rate(platform_conversations_ended_total{goal=~"achieved|missed",goal!="missed"}[5m])',
        f'{RUNNING}{{agent=~"a.+",agent!="ab"}}',
        f'{RUNNING}{{environment!="production"}}',
        'last_over_time(slo:objective:ratio{slo="clerk"}[15m])',
    ),
    "promql/dead-alternative": ('rate(platform_conversations_ended_total{goal=~"achieved|missed"}[5m])',),
    "promql/plain-regex": (f'{RUNNING}{{agent=~"clerk|broker"}}', f'{RUNNING}{{agent!=""}}'),
    "promql/useless-anchor": (f'{RUNNING}{{agent=~"a.+"}}',),
    "promql/matches-everything": (f'{RUNNING}{{agent=~".+"}}',),
    "promql/bare-dot": ('rate(http_requests_total{status=~"5.."}[5m])', f'{BUILD}{{version=~"1[.]2|1\\\\.3"}}'),
    "promql/bucket-bound": (
        f'rate({BUCKETS}{{le=~"5|5[.]0"}}[5m]) / ignoring (le) rate({BUCKETS}{{le="+Inf"}}[5m])',
        f'rate({BUCKETS}{{le="0.5"}}[5m])',
        f'rate({BUCKETS}{{le!=""}}[5m])',
        'rate(gen_ai_client_token_usage_bucket{le=~"1048576|1048576[.]0|1[.]048576e[+]06"}[5m])',
    ),
    "promql/other-dialect": (f'{RUNNING}{{agent="a"}} or {RUNNING}{{agent="b"}}',),
    "promql/experimental": (f"stddev_over_time({RUNNING}[5m])", f"topk(3, {RUNNING})", f"sum({RUNNING}) + sum({BUILD})"),
    "promql/counter-without-rate": (
        "count(agent_queries_total) or absent(agent_queries_total) or vector(0)",
        "resets(agent_queries_total[1h]) + changes(agent_queries_total[1h])",
        "agent_queries_in_progress and on (agent) agent_queries_total",
    ),
    "promql/rate-of-gauge": ("rate(agent_queries_total[5m])", "rate(pg_stat_database_deadlocks[5m])"),
    "promql/slope-of-counter": (f"deriv({RUNNING}[5m])", "predict_linear(agent:running:sum[1h], 600)"),
    "promql/rate-of-sum": ("sum(rate(agent_queries_total[5m]))", "max_over_time(sum(rate(agent_queries_total[5m]))[50m:1m])"),
    "promql/sum-of-replicas": (
        "sum by (role) (max without (instance) (platform_users))",
        "sum by (instance) (platform_users)",
        "max(platform_users)",
        'sum(platform_users{instance="a:1"})',
        f"sum({RUNNING})",
    ),
    "promql/sum-of-quantiles": (f"max({P95})", P95),
    "promql/average-of-ratios": ("max(platform_goal_success_ratio)", f"avg({RUNNING})", f"avg_over_time({RUNNING}[1h])"),
    "promql/quantile-without-le": (P95,),
    "promql/rate-window": ("rate(agent_queries_total[1m])", "delta(agent:errors:ratio[20m])"),
    "promql/short-window": (f"max_over_time({RUNNING}[1m])", "last_over_time(agent:errors:ratio[15m])"),
    "promql/stale-record": ("sum(agent:queries:rate5m)", "max_over_time(agent:errors:ratio[1h])"),
    "promql/subquery-step": (f"max_over_time({RUNNING}[1h:1m])", f"max_over_time({RUNNING}[1h:])"),
    "promql/retention": (f"{RUNNING} offset 39d",),
    "promql/grouping-label": ("topk(3, agent:running:sum)", "max without (instance) (auth_sessions_active)"),
    "promql/matching-label": (f"sum by (agent) ({RUNNING}) * on (agent) sum by (agent) ({BUILD})",),
    "promql/cardinality": (
        f"sum by (agent, environment) ({RUNNING}) * on (agent) group_left sum by (agent) ({BUILD})",
        f"{RUNNING} * on (agent, environment, instance) group_right (job) {BUILD}",
        f'sum by (agent, environment) ({RUNNING}{{environment="production"}}) / on (agent) sum by (agent) ({BUILD})',
        f"{RUNNING} > 0 and on (agent) {BUILD}",
        f"sum by (agent) ({RUNNING}) * on (agent) group_left (version) topk by (agent) (1, {BUILD})",
        f"sum by (agent) ({RUNNING}) * on (agent) group_left () topk without (version) (1, sum by (agent, version) ({BUILD}))",
    ),
    "promql/never-matches": (
        f"sum by (agent) ({RUNNING}) or sum({RUNNING})",
        f"sum by (agent) ({RUNNING}) < on () group_left sum({RUNNING})",
        'sum by (agent) (rate(agent_queries_total{status="failed"}[5m])) / sum by (agent) (rate(agent_queries_total[5m]))',
    ),
    "promql/absent-of-several": ('absent(up{job="platform"}) or absent(up{job="exporter"})', 'absent(up{job=~"plat.+"})'),
    "promql/decided": (
        f"{P95} > 5",
        "max(last_over_time(agent:errors:ratio[15m])) > 0.5",
        "max(last_over_time(agent:errors:ratio[15m])) >= 0",
        "platform_budget_spent_ratio > 1.2",
        "platform_nps_points < 0",
        "sum(rate(agent_queries_total[5m])) > 0",
        "vector(1) > 0",
        f'avg(rate({BUCKETS}{{le="0.5"}}[5m])) / avg(rate({BUCKETS}[5m])) > 1',
    ),
    "promql/nan": (
        f"sum({RUNNING} / (agent_conversations_active > 0))",
        f"sum({RUNNING} / clamp_min(agent_conversations_active, 1)) / sum({BUILD})",
        f"max({RUNNING} / agent_conversations_active)",
        f"sum({RUNNING} / agent_conversations_active > 2)",
        f"sum({RUNNING} / 2)",
        f"sum({RUNNING} and ({RUNNING} / agent_conversations_active > 1))",
    ),
    "promql/cost": ("rate(agent_queries_total[1h])", 'rate(agent_queries_total{agent="clerk"}[2h])'),
}


@pytest.mark.parametrize(("check", "expression", "message", "remedy"), WRONG, ids=[f"{case[0]}-{case[1]}" for case in WRONG])
def test_a_fault_is_found_and_nothing_else(check: str, expression: str, message: str, remedy: str) -> None:
    found = INSPECTOR.findings("place", expression)
    assert {finding.check for finding in found} == {check}, [str(finding) for finding in found]
    assert found[0].place == "place" and message in found[0].message and remedy in found[0].remedy


@pytest.mark.parametrize(("check", "expression"), [(check, text) for check, texts in RIGHT.items() for text in texts])
def test_what_is_right_is_left_in_peace(check: str, expression: str) -> None:
    found = INSPECTOR.findings("place", expression)
    assert found == [], check


def test_an_alert_may_not_be_decided_by_a_limit_that_else_drops_values_that_are_no_numbers() -> None:
    text = "platform_goal_success_ratio >= 0"
    assert INSPECTOR.findings("place", text) == []
    assert [finding.check for finding in INSPECTOR.findings("place", text, alert=True)] == ["promql/decided"]


def test_a_step_may_be_as_short_as_the_rule_is_evaluated() -> None:
    from datetime import timedelta

    text = f"max_over_time({RUNNING}[1h:30s])"
    assert INSPECTOR.findings("place", text, interval=timedelta(seconds=30)) == []
    (found,) = INSPECTOR.findings("place", text, interval=timedelta(minutes=1))
    assert found.check == "promql/subquery-step" and "as often as the rule is evaluated" in found.message


def test_what_a_reader_chooses_is_not_held_against_the_query() -> None:
    text = f'{RUNNING}{{agent=~"clerk",environment=~"prodution"}}'
    assert INSPECTOR.findings("place", text, chosen=frozenset({("agent", "clerk"), ("environment", "prodution")})) == []


# ---- rules

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


def found_in(groups: list[Group]) -> list[Any]:
    settings = Settings()
    return list(rule_findings(groups, Inspector.of(settings, known_series(groups)), settings))


@pytest.mark.parametrize(("check", "groups", "place", "message"), RULES_WRONG, ids=[f"{c[0]}-{c[3]}" for c in RULES_WRONG])
def test_a_fault_of_rules_is_found_and_nothing_else(check: str, groups: list[Group], place: str, message: str) -> None:
    found = found_in(groups)
    assert [(finding.check, finding.place) for finding in found] == [(check, place)], [str(finding) for finding in found]
    assert message in found[0].message


@pytest.mark.parametrize(("check", "groups"), [(check, groups) for check, all_ in RULES_RIGHT.items() for groups in all_])
def test_rules_that_are_right_are_left_in_peace(check: str, groups: list[Group]) -> None:
    assert found_in(groups) == [], check


def test_what_dashboards_and_people_read_is_used() -> None:
    settings, groups = Settings(), [group(ONE)]
    inspector = Inspector.of(settings, known_series(groups))
    assert list(rule_findings(groups, inspector, settings, read=["agent:running:sum"])) == []
    assert list(rule_findings(groups, inspector, settings, kept=["agent:running:sum"])) == []
    (found,) = rule_findings(groups, inspector, settings, kept=["agent:running:sum", "agent:runing:sum"])
    assert (found.check, found.remedy) == ("rules/kept-for-nothing", "did you mean agent:running:sum?")


def test_labels_that_the_server_adds_are_for_the_server() -> None:
    settings = Settings()
    one = record("agent:running:sum", f"sum by (agent) ({RUNNING})", site="north")
    groups = [group(one, alert(expr="agent:running:sum > 3", annotations={"description": "{{ $externalLabels.site }}"}))]
    inspector = Inspector.of(settings, known_series(groups))
    (found,) = rule_findings(groups, inspector, settings, external=["site"])
    assert (found.check, found.place) == ("rules/external-label", "recording rule agent:running:sum")
    (found,) = rule_findings(groups, inspector, settings, external=["sites"])
    assert (found.check, found.place) == ("alerts/template-label", "alert Slow, description")
    assert found.message == "the server has no external label site" and found.remedy == "did you mean sites?"


def test_a_delay_is_a_note_and_for_a_page_a_warning() -> None:
    severities = [found_in(groups)[0].severity for check, groups, _, _ in RULES_WRONG if check == "rules/delay"]
    assert severities == ["note", "warning"]


def test_a_metric_that_is_recorded_from_another_name_stays_a_counter() -> None:
    name, alias = "agent_query_duration_seconds_count", "gen_ai_invoke_agent_duration_seconds_count"
    adapter = group(record(name, f'label_replace({alias}, "agent", "$1", "gen_ai_agent_name", "(.*)")'))
    text = "{{ $labels.agent }}: {{ $value | humanize }}"
    reader = group(alert(expr=f"sum by (agent) (rate({name}[5m])) > 5", annotations={"description": text}), name="h")
    assert found_in([adapter, reader]) == [] and found_in([adapter]) == []


# ---- the list

IDS = {SYNTAX, REMOVED_FUNCTION, *(check.id for check in EXPRESSION_CHECKS), *(check.id for check in RULE_CHECKS)}


def test_every_check_is_shown_to_find_and_to_be_quiet() -> None:
    elsewhere = {"rules/kept-for-nothing", "rules/external-label"}  # by tests of their own
    assert {case[0] for case in (*WRONG, *RULES_WRONG)} | elsewhere == IDS
    assert RIGHT.keys() | RULES_RIGHT.keys() | elsewhere == IDS


@pytest.mark.parametrize("check", sorted(IDS))
def test_every_check_is_explained(check: str) -> None:
    assert CHECKS[check].finds and CHECKS[check].why
