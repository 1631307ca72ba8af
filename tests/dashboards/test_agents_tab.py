"""Agent performance: what the tab holds, and who needs attention."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from contract.settings import Settings
from dashboards.agents import TAB
from dashboards.lib.queries import PromQuery
from provisioning.check.excerpts import read_by
from recording_rules import registry
from tests.conftest import PrometheusTools

CONTENTS = {
    "headline": ["state", "success", "response", "cost", "conversations_now", "sessions_now", "running_now"],
    "attention": ["attention"],
    "course": ["success_by_day", "response_by_day", "cost_by_day"],
    "models": ["model_calls", "tokens", "model_cost"],
    "tools": ["tool_calls", "tool_success"],
    "people": ["rating", "nps", "thumbs", "handoff_reasons"],
    "compared": ["compared", "success_bars", "cost_bars"],
    "traffic": ["query_rate", "error_ratio", "retries", "response_now", "response_spread"],
    "tokens": ["tokens_by_day", "tokens_spread", "tokens_per_call"],
    "use": ["hours", "intents", "by_agent", "by_outcome", "by_channel"],
    "inside": ["in_flight", "capacity", "refused", "protocol", "guardrail_blocks", "guardrail_decisions"],
}


def test_the_table_of_contents() -> None:
    assert {row.name: [panel.name for panel in row.panels] for row in TAB.rows(Settings())} == CONTENTS


PLATFORM = 'job="platform",environment="production",instance="p"'
LEVEL, CHANGE = 0, 1
DAY_AND_TWO_HOURS = 26 * 60


def flows(agent: str, failing: str, tool_failing: str) -> dict[str, str]:
    """Ten queries and ten tool calls a minute, with so many failures beside them: as promtool writes a course."""
    always = f"0+10x{DAY_AND_TWO_HOURS}"
    return {
        f'agent_queries_total{{{PLATFORM},agent="{agent}",version="1",status="success"}}': always,
        f'agent_queries_total{{{PLATFORM},agent="{agent}",version="1",status="error"}}': failing,
        f'agent_tool_calls_total{{{PLATFORM},agent="{agent}",tool="search",status="success"}}': always,
        f'agent_tool_calls_total{{{PLATFORM},agent="{agent}",tool="search",status="error"}}': tool_failing,
    }


QUIET = f"0x{DAY_AND_TWO_HOURS}"
STEADY = f"0+1x{DAY_AND_TWO_HOURS}"
WORSE = f"0+0.1x{24 * 60} {24 * 6}.0+1x{2 * 60}"


@pytest.mark.parametrize(
    ("failing", "tool_failing", "query", "expected"),
    [
        (QUIET, QUIET, LEVEL, {}),
        (STEADY, QUIET, LEVEL, {('agent="billing"', "errors"): 1 / 11 / 0.05}),
        (STEADY, QUIET, CHANGE, {}),
        (WORSE, QUIET, CHANGE, {('agent="billing"', "errors"): (1 / 11) / (0.1 / 10.1)}),
        (QUIET, STEADY, LEVEL, {('tool="search"', "errors"): 1 / 11 / 0.10}),
    ],
    ids=["healthy ones are hidden", "beyond the limit", "as yesterday", "worse than yesterday", "a tool"],
)
def test_who_needs_attention(
    prometheus_tools: PrometheusTools,
    tmp_path: Path,
    failing: str,
    tool_failing: str,
    query: int,
    expected: dict[tuple[str, str], float],
) -> None:
    settings = Settings()
    asked = next(panel for panel in TAB.panels(settings) if panel.name == "attention").targets[query]
    assert isinstance(asked, PromQuery)
    expression = asked.expr.replace("$environment", ".*").replace("$agent", ".*")
    rules = [group for group in read_by(asked.expr, registry.rule_groups(settings)) if group["rules"]]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": rules}))
    samples = [
        {"labels": f'{{concern="{concern}",environment="production",{who}}}', "value": round(value, 3)}
        for (who, concern), value in expected.items()
    ]
    # Rounded, for what yesterday and today are taken from differs in the last digits.
    rounded = {"expr": f"round({expression}, 0.001)", "eval_time": "25h30m", "exp_samples": samples}
    courses = flows("billing", failing, tool_failing).items()
    told = {
        "interval": "1m",
        "input_series": [{"series": name, "values": course} for name, course in courses],
        "promql_expr_test": [rounded],
    }
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [told]}))
    done = subprocess.run([prometheus_tools.promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
