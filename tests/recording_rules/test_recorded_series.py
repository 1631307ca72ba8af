"""Recorded series say the same as the scraped ones, and questions find them."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alert_rules.catalogue import ALERTS
from alert_rules.model import Alert
from alert_rules.rules import expression
from contract.catalogue import series_catalogue
from contract.metrics import Source
from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO
from contract.signals.conversations import CONVERSATIONS_ENDED
from contract.signals.model import Change, equal
from contract.signals.models import COST_CHANGE, LLM_FIRST_CHUNK
from contract.values import duration_seconds, duration_text
from recording_rules import registry
from recording_rules.model import Formula, Group, RecordedRate, RecordedSignal
from tests.recording_rules.generated import generated

RULES = [rule for group in registry.fixed_groups() for rule in group.rules]
ANSWERS = [rule for rule in RULES if not isinstance(rule, Formula)]
"""Rules that a question finds. What formulas record is read by name, and proved where they stand."""
FROM_RATES = [
    rule for group in registry.fixed_groups() for rule in group.rules if isinstance(rule, RecordedSignal) and group.level
]


def test_names_are_unique_and_groups_come_after_what_they_read() -> None:
    names = [rule.record for rule in RULES]
    assert len(set(names)) == len(names)
    known: set[str] = set()
    for group in registry.fixed_groups():
        for rule in group.rules:
            reads = set(re.findall(r"[\w:]+", registry.rule_expression(rule))) & set(names)
            assert reads <= known, f"{rule.record} reads {reads - known} of its own group or a later one"
        known |= {rule.record for rule in group.rules}


@pytest.mark.parametrize("rule", FROM_RATES, ids=lambda rule: rule.record)
def test_a_figure_is_made_of_recorded_rates_only(rule: RecordedSignal) -> None:
    assert "rate(" not in registry.rule_expression(rule)


@pytest.mark.parametrize("rule", ANSWERS, ids=lambda rule: rule.record)
def test_every_rule_is_found_by_the_question_that_it_answers(rule: RecordedRate | RecordedSignal) -> None:
    if isinstance(rule, RecordedSignal):
        assert registry.query(rule.signal, rule.all_labels, rule.window) == rule.record
    else:
        assert f"({rule.record})" in registry.resolve(rule.leaf, rule.all_labels, rule.window, ())


def test_a_group_is_small_and_its_windows_hold_several_scrapes() -> None:
    with pytest.raises(ValueError, match="20 is the most"):
        Group("large", "15s", tuple(RULES[:21]), level=0)
    for group in registry.fixed_groups():
        assert duration_seconds(group.interval) <= 240, "Prometheus forgets a series after five minutes"
        assert all(duration_seconds(rule.window) >= 4 * 15 for rule in group.rules if not isinstance(rule, Formula))


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


def test_a_figure_is_found_in_whatever_words_it_is_asked() -> None:
    other = replace(LLM_FIRST_CHUNK, title="How long until the answer begins", description="The same, said otherwise")
    assert registry.query(other, ("gen_ai_request_model", "environment")) == "model:llm_ttft_seconds:p95_5m"


def test_a_comparison_reads_the_recorded_figure_of_both_moments() -> None:
    asked = Change("errors_change", "Errors", "Errors / those of yesterday", "times", AGENT_ERROR_RATIO, "1d")
    figure = 'agent:query_errors:ratio_rate5m{agent="a"}'
    found = registry.query(asked, ("environment", "agent"), "5m", (equal("agent", "a"),))
    assert found == f"{figure} / ({figure} offset 1d > 0)"


@pytest.mark.parametrize("alert", [alert for alert in ALERTS if not alert.paging], ids=lambda alert: alert.name)
def test_alerts_on_the_platform_read_recorded_rates(alert: Alert) -> None:
    """But pages, which wait for no other group: their minute is read as it was scraped."""
    scraped = {series for series, metric in series_catalogue().items() if metric.source is Source.PLATFORM}
    assert not set(re.findall(r"rate\((\w+)", expression(alert, Settings()))) & scraped


def test_recorded_and_scraped_agree_in_prometheus(tmp_path: Path, prometheus_tools: Any) -> None:
    """Every rule against its question, put to the scraped series: the same series, with the same values.

    The data has two replicas of the exporter, restarts, bounds spelt `5` and `5.0`, and statuses that nobody counted yet.
    """
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": registry.rule_groups(Settings())}))
    expectations = []
    for rule in ANSWERS:
        asked = rule.signal.expression if isinstance(rule, RecordedSignal) else rule.leaf.raw
        raw = asked(rule.all_labels, rule.window, ())
        assert ":" not in raw
        expectations += [
            {"expr": f"count({rule.record} > 0) == bool count({raw} > 0)", "exp_samples": [{"labels": "{}", "value": 1}]},
            {"expr": f"abs({rule.record} - {raw}) > 1e-9", "exp_samples": []},
        ]
    metrics = {
        leaf.metric for rule in ANSWERS for leaf in (rule.signal.leaves if isinstance(rule, RecordedSignal) else (rule.leaf,))
    }
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "group_eval_order": [group["name"] for group in registry.rule_groups(Settings())],
        "tests": [
            {
                "interval": "15s",
                "input_series": generated(metrics),
                "promql_expr_test": [expected | {"eval_time": "70m"} for expected in expectations],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps(document))
    result = subprocess.run([prometheus_tools.promtool, "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_rate_is_held_against_a_past_that_was_counted_whole() -> None:
    asked = registry.query(COST_CHANGE, ("environment",), "1h")
    spend = "sum by (environment) (agent:llm_cost_usd:rate1h{})"
    now, then, before = (spend.replace("{}", past) for past in ("", " offset 1d", " offset 1d1h"))
    assert asked == f"{now} / ({then} > 0 and {before})"


@pytest.mark.parametrize("text", ["1d1h", "7d", "1h30m", "1m15s", "30s"])
def test_durations_are_written_as_they_are_read(text: str) -> None:
    assert duration_text(duration_seconds(text)) == text
