"""PromQL against the contract: each fault is found, and what is right is left in peace."""

from __future__ import annotations

import promql_parser
import pytest

from contract.settings import Settings
from provisioning.check.expressions import Inspector
from provisioning.check.known import known_series
from provisioning.check.labels import surviving
from recording_rules import registry

OWN_RULE = {"name": "g", "rules": [{"record": "own:figure:sum", "expr": "sum by (agent) (agent_queries_in_progress)"}]}
KNOWN = known_series([*registry.rule_groups(Settings()), OWN_RULE])
INSPECTOR = Inspector.of(Settings(), KNOWN)
BUCKETS = "agent_query_duration_seconds_bucket"


@pytest.mark.parametrize(
    ("expression", "message", "remedy"),
    [
        ("sum(", "not PromQL", "sum("),
        ("sum(agent_querys_in_progress)", "unknown metric agent_querys_in_progress", "did you mean agent_queries_in_progress?"),
        ('{__name__="nothing"}', "unknown metric nothing", ""),
        ('rate(agent_queries_total{agnet="x"}[5m])', "agent_queries_total has no label agnet", "did you mean agent?"),
        ("sum by (agnet) (rate(agent_queries_total[5m]))", "by (agnet): there is no such label", "did you mean agent?"),
        ("max without (pod) (auth_sessions_active)", "without (pod): there is no such label", "known:"),
        ("sum by (version) (own:figure:sum)", "by (version): there is no such label", "known: agent"),
        ("agent_conversations_active * on (pool) db_pool_pending_requests", "on (pool): one side has no such label", ""),
        (
            "agent_queries_in_progress * on (agent) group_left (pool) agent_build_info",
            "group modifier (pool): the other side has no such label",
            "",
        ),
        ("rate(agent_queries_in_progress[5m])", "rate of agent_queries_in_progress, which is a gauge", "delta or deriv"),
        ("increase(own:figure:sum[5m])", "increase of own:figure:sum, which is a recorded figure", "delta or deriv"),
        ("sum(agent_queries_total)", "agent_queries_total is a counter and is read without rate", "rate(agent_queries_total"),
        (f"histogram_quantile(0.9, sum by (agent) (rate({BUCKETS}[5m])))", "histogram_quantile without le", "keep le"),
        (f'rate({BUCKETS}{{le="5"}}[5m])', 'le="5" misses the other spelling', 'le=~"5|5[.]0"'),
        (f'rate({BUCKETS}{{le="5.0"}}[5m])', 'le="5.0" misses the other spelling', 'le=~"5|5[.]0"'),
        (f'rate({BUCKETS}{{le="4"}}[5m])', "has no bucket that ends at 4", "near: 3.7, 5"),
        ("rate(agent_queries_total[41d])", "looks back 41d, but Prometheus keeps 40d", "shorter window"),
        ("rate(agent_queries_total[1d] offset 40d)", "looks back 41d", ""),
        ("max_over_time(rate(agent_queries_total[1d])[39d12h:1h])", "looks back 40d12h", ""),
        ("rate(agent_queries_total[20s])", "rate over 20s never sees two samples", "at least 30s"),
        (
            'rate(platform_conversations_ended_total{goal="achived"}[5m])',
            "label goal is never 'achived'",
            "did you mean achieved?",
        ),
    ],
)
def test_a_fault_is_found_and_nothing_else(expression: str, message: str, remedy: str) -> None:
    found = INSPECTOR.findings("place", expression)
    assert len(found) == 1, found
    assert found[0].place == "place" and message in found[0].message and remedy in found[0].remedy
    assert found[0].severity == ("warning" if "without rate" in message else "error")


@pytest.mark.parametrize(
    "expression",
    [
        f'histogram_quantile(0.9, sum by (le, agent) (rate({BUCKETS}{{le!=""}}[5m])))',
        f'rate({BUCKETS}{{le=~"5|5[.]0"}}[5m]) / ignoring (le) rate({BUCKETS}{{le="+Inf"}}[5m])',
        f'rate({BUCKETS}{{le="0.5"}}[5m])',
        "max without (instance) (rate(platform_conversations_started_total[5m]))",
        "count(agent_queries_total) or absent(agent_queries_total) or vector(0)",
        "agent_queries_in_progress unless agent_queries_total",
        'ALERTS{alertstate="firing",anything="x"}',
        "rate(pg_stat_database_deadlocks[5m])",
        "resets(agent_queries_total[1h]) + changes(agent_build_info[1h])",
        "sum by (version) (agent_queries_in_progress * on (agent) group_left (version) agent_build_info)",
        "topk(3, own:figure:sum)",
    ],
)
def test_what_is_right_is_left_in_peace(expression: str) -> None:
    assert INSPECTOR.findings("place", expression) == []


@pytest.mark.parametrize(
    ("expression", "certain", "possible"),
    [
        ("agent_build_info", "agent version prompt_version model environment job instance", None),
        ("sum(agent_build_info)", "", None),
        ("sum by (agent) (agent_build_info) or vector(0)", "", "agent"),
        ("sum by (agent) (agent_build_info) > 0 and sum by (agent) (agent_build_info)", "agent", None),
        ("sum by (agent, version) (agent_build_info) * on (agent) sum by (agent) (agent_build_info)", "agent", None),
        ("sum by (agent, job) (agent_build_info) / ignoring (job) sum by (agent) (agent_build_info)", "agent", None),
        ('label_replace(sum(agent_build_info), "part", "x", "", "")', "part", None),
        ('absent(agent_build_info{agent="a",version=~"b"})', "agent", None),
        ('count_values by (agent) ("value", agent_build_info)', "agent value", None),
        ("max without (instance, job) (auth_sessions_active)", "environment", None),
        (f"histogram_quantile(0.9, sum by (le, agent) (rate({BUCKETS}[5m])))", "agent", None),
        ("time() - max by (agent) (agent_deployment_timestamp_seconds)", "agent", None),
        ("scalar(auth_sessions_active)", "", None),
        ("max_over_time(sum by (agent) (agent_build_info)[1h:1m])", "agent", None),
    ],
)
def test_labels_that_survive(expression: str, certain: str, possible: str | None) -> None:
    node = promql_parser.parse(expression)
    assert surviving(node, KNOWN, certain=True) == set(certain.split())
    assert surviving(node, KNOWN, certain=False) == set((certain if possible is None else possible).split())
