"""Bands around figures, in a real Prometheus: days alike are quiet, a spike and a new level are seen, the level wears off."""

from __future__ import annotations

import json
import math
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contract.anomaly import Anomaly
from contract.settings import Settings
from recording_rules import registry
from recording_rules.anomaly import groups

pytestmark = pytest.mark.usefixtures("on_a_disk")
HOURS, STEP = 62, 120
SETTINGS = Settings(
    anomalies=(
        Anomaly(name="adaptive", signal="agent_queries", minimum=30),
        Anomaly(name="robust", signal="agent_queries", minimum=30, strategy="robust", sensitivity=5),
    )
)
STRATEGIES = ("adaptive", "robust")


def _day(hour: float, chance: random.Random) -> float:
    """Traffic that swings between 4 and 16 queries a second, with some noise."""
    return 10 + 6 * math.sin(2 * math.pi * hour / 24) + chance.gauss(0, 0.5)


def _flat(_hour: float, chance: random.Random) -> float:
    return 10 + chance.gauss(0, 0.3)


def _spike(hour: float, chance: random.Random) -> float:
    return _day(hour, chance) + (60 if 50 <= hour < 51 else 0)


def _gap(hour: float, chance: random.Random) -> float:
    return 0.0 if 50 <= hour < 51 else _flat(hour, chance)


def _shift(hour: float, chance: random.Random) -> float:
    return _flat(hour, chance) * (2 if hour >= 40 else 1)


def _little(hour: float, chance: random.Random) -> float:
    """Less than the least amount that says anything, with a spike of twenty times as much."""
    return 0.08 if 50 <= hour < 51 else 0.004 * chance.random()


def _sparse(hour: float, chance: random.Random) -> float | None:
    """There in one hour of six only, and odd then on the third day."""
    return None if hour % 6 >= 1 else _flat(hour, chance) * (5 if hour > 48 else 1)


STORIES: dict[str, Callable[[float, random.Random], float | None]] = {
    "day": _day, "flat": _flat, "spike": _spike, "gap": _gap, "shift": _shift, "little": _little, "sparse": _sparse,
    "steady": lambda _hour, _chance: 10.0,
}  # fmt: skip


def _series(name: str) -> dict[str, str]:
    chance, tell = random.Random(name), STORIES[name]
    told = (tell(step * STEP / 3600, chance) for step in range(HOURS * 3600 // STEP + 1))
    values = " ".join("_" if value is None else f"{value:.4f}" for value in told)
    return {"series": f'environment:queries:rate5m{{environment="{name}"}}', "values": values}


def _odd(side: str, environment: str, hours: str) -> str:
    """Whether a figure was out of its band for ten minutes on end, as the alerts ask, within the hours before."""
    return f'count(max_over_time(min_over_time(anomaly:distance:{side}{{environment="{environment}"}}[11m])[{hours}:2m]) > 1)'


def _found(at: str, expression: str, count: int) -> dict[str, Any]:
    return {"expr": expression, "eval_time": at, "exp_samples": [{"labels": "{}", "value": count}] if count else []}


def test_bands_follow_what_is_usual_and_show_what_is_not(tmp_path: Path, prometheus_tools: Any) -> None:
    """Each count is of the two strategies."""
    mine = {group.name for group in groups(SETTINGS, registry.query)}
    rules = [group for group in registry.rule_groups(SETTINGS) if group["name"] in mine]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": rules}))
    both, last, calm = len(STRATEGIES), f"{HOURS}h", ("day", "flat", "steady", "little", "sparse")
    quiet = [_found(last, _odd(side, name, last), 0) for side in ("above", "below") for name in calm]
    expected = [
        *quiet,
        _found("23h", "count(anomaly:band:upper)", 0),
        *(_found(last, f'count(anomaly:band:upper{{environment="{name}"}})', both) for name in calm[:-1]),
        _found(last, 'count(anomaly:band:upper{environment="sparse"})', 0),
        _found("50h", _odd("above", "spike", "50h"), 0),
        _found("51h", _odd("above", "spike", "1h"), both),
        _found(last, _odd("above", "spike", "10h"), 0),
        _found("51h", _odd("below", "gap", "1h"), both),
        _found("41h", _odd("above", "shift", "1h"), both),
        # The deviations of some hours are enough for one strategy; the median of the other needs half a day.
        _found("49h", _odd("above", "shift", "2h"), 1),
        _found(last, _odd("above", "shift", "4h"), 0),
    ]  # fmt: skip
    test = {"interval": f"{STEP}s", "input_series": [_series(name) for name in STORIES], "promql_expr_test": expected}
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{STEP}s",
        "group_eval_order": [group["name"] for group in rules],
        "tests": [test],
    }
    (tmp_path / "test.yml").write_text(json.dumps(document))
    result = subprocess.run([prometheus_tools.promtool, "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_without_anomalies_nothing_is_recorded() -> None:
    assert groups(Settings(anomalies=()), registry.query) == ()


def test_one_rule_more_for_a_figure_and_two_constants() -> None:
    def rules(settings: Settings) -> int:
        return sum(len(group.rules) for group in groups(settings, registry.query))

    more = Settings(anomalies=(*SETTINGS.anomalies, Anomaly(name="third", signal="http_requests", by=("handler",))))
    assert rules(more) == rules(SETTINGS) + 3


def test_weeks_that_prometheus_does_not_keep_are_not_asked_for() -> None:
    short = Settings.model_validate({"sources": {"prometheus": {"retention": "15d"}}})
    (week,) = (r for g in groups(short, registry.query) for r in g.rules if r.record == "anomaly:value:week")
    assert "offset 335h30m" in registry.rule_expression(week)
    assert "offset 503h30m" not in registry.rule_expression(week)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"signal": "agent_querys"}, "there is no signal 'agent_querys'"),
        ({"signal": "queries_in_progress"}, "neither a rate nor a share nor a quantile"),
        ({"signal": "platform_users_created"}, "there is no signal"),
        ({"signal": "agent_queries", "by": ["tool"]}, "has no label 'tool' beside environment"),
        ({"signal": "agent_latency_p95"}, "answers that are faster than usual are no trouble"),
        ({"signal": "agent_queries", "sensitivity": 0.1}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_watched_is_refused_in_words(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Settings.model_validate({"anomalies": [given]})


def test_two_anomalies_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two anomalies are called agent_queries"):
        Settings.model_validate({"anomalies": [{"signal": "agent_queries"}, {"signal": "agent_queries", "strategy": "robust"}]})
