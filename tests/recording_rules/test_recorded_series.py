"""Recorded series say the same as the scraped ones, and questions find them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY
from contract.signals.conversations import CONVERSATIONS_ENDED, SUCCESS_RATIO
from contract.signals.http import HTTP_SERVER_ERROR_RATIO
from contract.signals.model import equal
from recording_rules import registry
from recording_rules.model import RecordedRate, RecordedSignal

RULES = [rule for group in registry.fixed_groups() for rule in group.rules]


def test_names_are_unique_and_groups_come_after_what_they_read() -> None:
    names = [rule.record for rule in RULES]
    assert len(set(names)) == len(names)
    known: set[str] = set()
    for group in registry.fixed_groups():
        for rule in group.rules:
            reads = {
                name
                for name in names
                if f"{name}{{" in registry.rule_expression(rule) or f"({name})" in registry.rule_expression(rule)
            }
            assert reads <= known, f"{rule.record} reads {reads - known} of its own group or a later one"
        known |= {rule.record for rule in group.rules}


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule, RecordedSignal)], ids=lambda rule: rule.record)
def test_a_figure_is_made_of_recorded_rates_only(rule: RecordedSignal) -> None:
    assert "rate(" not in registry.rule_expression(rule)
    assert registry.query(rule.signal, rule.all_labels, rule.window) == rule.record


@pytest.mark.parametrize(
    ("by", "where", "expected"),
    [
        (
            ("environment", "agent"),
            (),
            'sum by (environment, agent) (agent_goal:conversations_ended:rate1h{goal=~"achieved|missed"})',
        ),
        (
            (),
            (equal("environment", "x"),),
            'sum(agent_goal:conversations_ended:rate1h{environment="x",goal=~"achieved|missed"})',
        ),
        (("instance",), (), None),
    ],
)
def test_a_question_reads_the_recorded_rate_when_it_keeps_the_labels(by: Any, where: Any, expected: str | None) -> None:
    raw = CONVERSATIONS_ENDED.expression(by, "1h", where)
    assert registry.query(CONVERSATIONS_ENDED, by, "1h", where) == (expected or raw)
    assert registry.query(CONVERSATIONS_ENDED, by, "2h", where) == CONVERSATIONS_ENDED.expression(by, "2h", where)


def counter(series: str, per_step: float) -> dict[str, str]:
    return {"series": series, "values": f"1000+{per_step}x300"}


def test_recorded_and_scraped_agree_in_prometheus(tmp_path: Path, prometheus_tools: Any) -> None:
    """Two replicas of the exporter count once; a bound may be spelt `5` or `5.0`; what nobody counts yet is zero."""
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": registry.rule_groups(Settings())}))
    about, ended = 'agent="a",environment="p"', "platform_conversations_ended_total"
    buckets = [("2.0", 6), ("5", 9), ("6.8", 12), ("+Inf", 12)]
    series = [
        *(
            counter(f'agent_queries_total{{{about},status="{status}"}}', n)
            for status, n in (("success", 9), ("error", 2), ("timeout", 1))
        ),
        *(counter(f'agent_query_duration_seconds_bucket{{{about},le="{le}"}}', n) for le, n in buckets),
        *(
            counter(f'{ended}{{{about},goal="{goal}",instance="{i}"}}', n)
            for goal, n in (("achieved", 3), ("missed", 1))
            for i in "12"
        ),
        counter('http_requests_total{environment="p",job="platform",status="200"}', 5),
    ]
    by = ("environment", "agent")
    questions = [
        (registry.query(AGENT_ERROR_RATIO, by), AGENT_ERROR_RATIO.expression(by), 0.25),
        (registry.query(AGENT_LATENCY.at(0.5), by), AGENT_LATENCY.at(0.5).expression(by), 2.0),
        (registry.query(SUCCESS_RATIO, by, "1h"), SUCCESS_RATIO.expression(by, "1h"), 0.75),
        (
            registry.query(HTTP_SERVER_ERROR_RATIO, ("environment", "job")),
            HTTP_SERVER_ERROR_RATIO.expression(("environment", "job")),
            0.0,
        ),
    ]
    expectations = [
        {"expr": f"round(sum({text}), 0.001)", "eval_time": "70m", "exp_samples": [{"labels": "{}", "value": value}]}
        for recorded, raw, value in questions
        for text in (recorded, raw)
    ]
    assert all(recorded != raw for recorded, raw, _ in questions)
    test = {"interval": "15s", "input_series": series, "promql_expr_test": expectations}
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "15s",
        "group_eval_order": [group["name"] for group in registry.rule_groups(Settings())],
        "tests": [test],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    result = subprocess.run([prometheus_tools.promtool, "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_rate_keeps_the_labels_that_its_figures_need() -> None:
    rates = {rule.leaf.series for rule in RULES if isinstance(rule, RecordedRate)}
    for rule in RULES:
        if isinstance(rule, RecordedSignal):
            assert {leaf.series for leaf in rule.signal.leaves} <= rates
