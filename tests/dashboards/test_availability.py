"""How much of the time the platform was there, in both readings, by promtool."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from contract.settings import Settings
from dashboards.health import TAB
from dashboards.lib.queries import PromQuery
from provisioning.check.excerpts import read_by
from recording_rules import registry
from tests.conftest import PrometheusTools

TARGET = 'job="platform",environment="production",instance="{}"'


def up(instance: str) -> str:
    return f"up{{{TARGET.format(instance)}}}"


def answers(status: str) -> str:
    return f'http_requests_total{{{TARGET.format("a")},method="GET",handler="/api",status="{status}"}}'


DAY = 24 * 60
WELL, DOWN = f"1x{2 * DAY}", f"1x{DAY} 0x{DAY}"


@pytest.mark.parametrize(
    ("panel", "series", "expected"),
    [
        ("availability_scraped", {up(name): WELL for name in "ab"}, {"24 h": 1, "7 d": 1, "30 d": 1}),
        (
            "availability_scraped",
            {up("a"): WELL, up("b"): DOWN},
            {"24 h": 0.5, "7 d": 0.75, "30 d": 0.75},
        ),
        (
            "availability_served",
            {answers("200"): f"0+9x{2 * DAY}", answers("503"): f"0x{DAY} 0+1x{DAY}"},
            {"24 h": 0.9, "7 d": 0.95, "30 d": 0.95},
        ),
        ("availability_served", {answers("200"): f"0+9x{2 * DAY}"}, {"24 h": 1, "7 d": 1, "30 d": 1}),
        ("availability_served", {up("a"): WELL}, {}),
    ],
    ids=[
        "always there", "one of two targets is away for a day", "one in ten fails on the second day", "nothing ever failed",
        "nobody asks",
    ],
)  # fmt: skip
def test_how_much_of_the_time_it_was_there(
    prometheus_tools: PrometheusTools, tmp_path: Path, panel: str, series: dict[str, str], expected: dict[str, float]
) -> None:
    """Of what is remembered: two days. In per cent, for rates of an hour look back over the edge of a day."""
    settings = Settings()
    [query] = next(found for found in TAB.panels(settings) if found.name == panel).targets
    assert isinstance(query, PromQuery)
    rules = [group for group in read_by(query.expr, registry.rule_groups(settings)) if group["rules"]]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": rules}))
    samples = [{"labels": f'{{window="{window}"}}', "value": value} for window, value in expected.items()]
    asked = {
        "expr": f"round({query.expr.replace('$environment', '.*')}, 0.01)",
        "eval_time": f"{2 * DAY - 1}m",
        "exp_samples": samples,
    }
    told = {
        "interval": "1m",
        "input_series": [{"series": name, "values": course} for name, course in series.items()],
        "promql_expr_test": [asked],
    }
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [told]}))
    done = subprocess.run([prometheus_tools.promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
