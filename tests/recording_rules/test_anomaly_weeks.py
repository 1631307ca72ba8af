"""Weeks in a band, by numbers: a Monday is held against Mondays, for traffic whose mean and deviation are known."""

from __future__ import annotations

import json
import subprocess
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from alert_rules import anomalies, rules
from contract.anomaly import Anomaly
from contract.settings import Settings
from recording_rules import registry
from recording_rules.anomaly import groups

pytestmark = pytest.mark.usefixtures("on_a_disk")
STEP, EVERY = 120, 1200
"""Seconds between samples, and between evaluations."""
WEEK, HOUR = 7 * 24 * 3600, 3600
NOW = 4 * WEEK + 10 * HOUR
"""Monday, ten in the morning, after four whole weeks."""
SETTINGS = Settings(
    anomalies=(
        Anomaly(name="mean", signal="agent_queries", sensitivity=3),
        Anomaly(name="median", signal="agent_queries", sensitivity=5, strategy="robust"),
    )
)
MARGINS = {"mean": 3 * sqrt(2 / 3), "median": 5 * 1.4826}
"""How far from the usual is usual, where values are 9, 10 and 11 by turns: their standard deviation is the root of 2/3, and the
median of how far they are from 10 is 1."""
MONDAYS = {1: 44.0, 2: 400.0, 3: 40.0, 4: 36.0}
"""What this hour was, by weeks ago: much, and once, in an incident, ten times as much. The one in the middle is 42."""


def _values(today: float, before: dict[int, float]) -> str:
    """What a figure was, in promtool's notation: of each week the hour that counts, and the last two days and a half.

    It is 9, 10 and 11 by turns. At nine this morning it goes to `today`. The sample at the very begin of the 26 hours,
    which only Prometheus 2 counts, is missing.
    """
    begin = NOW - 60 * HOUR
    told: list[float | None] = []
    for moment in range(0, NOW + STEP, STEP):
        ago = round((NOW - moment) / WEEK)
        if moment > NOW - HOUR:
            told.append(today)
        elif moment == NOW - 27 * HOUR or (moment < begin and abs(NOW - moment - ago * WEEK) > HOUR):
            told.append(None)
        else:
            told.append(before.get(ago, 10.0) if moment < begin else 9.0 + moment // STEP % 3)
    return " ".join("_" if value is None else f"{value:g}" for value in told)


STORIES = {
    "a Monday as ever": (42.0, MONDAYS),
    "more than on a Monday": (54.0, MONDAYS),
    "a Monday's traffic on another day": (42.0, {}),
    "a Monday like a Sunday": (10.0, MONDAYS),
}
"""What it is now, and what this hour of the weeks before was."""
FIRES = ["more than on a Monday", "a Monday's traffic on another day"]


@pytest.fixture(scope="module")
def promtool_says(prometheus_tools: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Whether expressions hold now, where `{}` stands for the labels of one story and strategy."""
    folder: Path = tmp_path_factory.mktemp("weeks")
    made = {group.name for group in groups(SETTINGS, registry.query)} - {"anomaly_values"}
    written = [group for group in registry.rule_groups(SETTINGS) if group["name"] in made]
    written += [group for group in rules.rule_groups(SETTINGS) if group["name"] == anomalies.GROUP.name]
    (folder / "rules.yml").write_text(json.dumps({"groups": written}))
    labels = 'environment="{}",anomaly="{}",scope="all",source="platform",strategy="{}",team="platform"'
    strategies = {anomaly.label: anomaly.strategy for anomaly in SETTINGS.anomalies}
    series = [
        {"series": f"anomaly:value:current{{{labels.format(story, name, strategy)}}}", "values": _values(*told)}
        for story, told in STORIES.items()
        for name, strategy in strategies.items()
    ]

    def say(*expected: tuple[str, float]) -> None:
        true = {"eval_time": f"{NOW}s", "exp_samples": [{"labels": "{}", "value": 1}]}
        asked = [{"expr": f"abs({expr} - {value}) < bool 1e-9", **true} for expr, value in expected]
        test = {"interval": f"{STEP}s", "input_series": series, "promql_expr_test": asked}
        order = [group["name"] for group in written]
        document = {
            "rule_files": ["rules.yml"], "evaluation_interval": f"{EVERY}s", "group_eval_order": order, "tests": [test],
        }  # fmt: skip
        (folder / "test.yml").write_text(json.dumps(document))
        done = subprocess.run([prometheus_tools.promtool, "test", "rules", folder / "test.yml"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    return say


def _one(record: str, story: str, name: str) -> str:
    return f'sum({record}{{environment="{story}",anomaly="{name}"}})'


def test_mondays_are_held_against_mondays(promtool_says: Any) -> None:
    expected: list[tuple[str, float]] = []
    for name, margin in MARGINS.items():
        for story, (today, before) in STORIES.items():
            week = 42.0 if before else 10.0
            expected += [
                (_one("anomaly:value:middle", story, name), 10.0),
                (_one("anomaly:value:week", story, name), week),
                (_one("anomaly:usual:margin", story, name), margin),
                (_one("anomaly:band:upper", story, name), week + margin),
                (_one("anomaly:band:lower", story, name), 10.0 - margin),
                (_one("anomaly:distance:above", story, name), (today - week) / margin),
                (_one("anomaly:distance:below", story, name), (10.0 - today) / margin),
            ]
    expected += [(_one("anomaly:value:spread", story, "mean"), sqrt(2 / 3)) for story in STORIES]
    firing = 'alertname=~"AnomalyHigh|AnomalyLow",alertstate="firing"'
    expected += [(f'count(ALERTS{{{firing},environment="{story}"}})', len(MARGINS)) for story in FIRES]
    expected += [(f"count(ALERTS{{{firing}}})", len(MARGINS) * len(FIRES))]
    promtool_says(*expected)
