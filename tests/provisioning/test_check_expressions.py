"""Which labels a PromQL expression leaves on its result, and which of them have one value."""

from __future__ import annotations

import promql_parser
import pytest

from contract.settings import Settings
from provisioning.check.expressions import Inspector
from provisioning.check.known import known_series
from provisioning.check.labels import fixed, surviving, varying

RULES = [
    {"record": "own:figure:sum", "expr": 'sum by (agent, environment) (agent_queries_in_progress{environment="production"})'},
    {"record": "own:twice:sum", "expr": "2 * own:figure:sum", "labels": {"tier": "gold"}},
    {"record": "own:objective:ratio", "expr": "vector(0.9)", "labels": {"slo": "a"}},
    {"record": "own:objective:ratio", "expr": "sum by (agent) (agent_build_info)", "labels": {"slo": "b"}},
    {"record": "own:wrong:sum", "expr": "sum("},
    {"record": "own:itself:sum", "expr": "own:itself:sum offset 1m or vector(0)"},
    {"record": "own:hen:ratio", "expr": "own:egg:ratio / 2"},
    {"record": "own:egg:ratio", "expr": "2 * own:hen:ratio"},
]
KNOWN = known_series([{"name": "g", "rules": RULES}])
BUCKETS = "agent_query_duration_seconds_bucket"


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
        ("own:twice:sum", "agent environment tier", None),
        ("own:objective:ratio", "slo", "agent slo"),
    ],
)
def test_labels_that_survive(expression: str, certain: str, possible: str | None) -> None:
    node = promql_parser.parse(expression)
    assert surviving(node, KNOWN, certain=True) == set(certain.split())
    assert surviving(node, KNOWN, certain=False) == set((certain if possible is None else possible).split())


def test_series_of_rules_that_cannot_be_read_may_have_any_label() -> None:
    assert KNOWN["own:wrong:sum"].labels is None and KNOWN["own:itself:sum"].labels is None


@pytest.mark.parametrize("name", ["own:itself:sum", "own:hen:ratio", "own:egg:ratio"])
def test_series_that_are_made_of_themselves_are_looked_at_without_end_in_no_check(name: str) -> None:
    inspector = Inspector.of(Settings(), KNOWN)
    assert inspector.findings("place", f"avg_over_time({name}[5m]) + max({name}) > 0") == []


@pytest.mark.parametrize(
    ("expression", "one_value", "many"),
    [
        ('sum by (agent, status) (rate(agent_queries_total{status="failed"}[5m]))', {"status": "failed"}, "agent"),
        ("own:figure:sum", {"environment": "production"}, "agent"),
        ("own:twice:sum > 5", {"environment": "production", "tier": "gold"}, "agent"),
        ("own:objective:ratio", {}, "slo"),
        ("own:figure:sum or own:twice:sum", {"environment": "production"}, "agent"),
        ('own:objective:ratio * on (slo) own:objective:ratio{slo="a"}', {"slo": "a"}, ""),
        ('sum by (le) (rate(agent_query_duration_seconds_bucket{le=~"5|5[.]0"}[5m]))', {"le": "5|5[.]0"}, ""),
        ('sum by (le) (rate(agent_query_duration_seconds_bucket{le=~"5|10"}[5m]))', {}, "le"),
    ],
)
def test_labels_of_one_value(expression: str, one_value: dict[str, str], many: str) -> None:
    node = promql_parser.parse(expression)
    assert fixed(node, KNOWN) == one_value
    assert varying(node, KNOWN) == set(many.split())
