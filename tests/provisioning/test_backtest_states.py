"""The life of an alert, held against promtool on series of chance."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioning.rules.built import AlertingRule
from provisioning.rules.states import Firing, Lives

STEP = 15
SUBJECT = (("agent", "billing"),)
RULE = AlertingRule("g", STEP, "Bad", "x > 0", (("severity", "warning"),), 30.0, 45.0)

values = st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=1, max_size=60)
spans = st.sampled_from([0, 15, 20, 30, 60, 90])


def _text(series: list[int | None]) -> str:
    """One sample a scrape; a scrape without the series ends it, as Prometheus marks it."""
    words, there = [], False
    for value in series:
        words.append(str(value) if value is not None else "stale" if there else "_")
        there = value is not None
    return " ".join(words)


def _firings(series: list[list[int | None]], hold: int, keep: int, parts: int) -> list[Firing]:
    """What our own reading makes of `x > 0`, evaluated in `parts` stretches."""
    lives = Lives(AlertingRule("g", STEP, "Bad", "x > 0", (), hold, keep))
    found: list[Firing] = []
    length = max(len(one) for one in series)
    cut = math.ceil(length / parts)
    for begin in range(0, length, cut):
        times = [STEP * n for n in range(begin, min(begin + cut, length))]
        held = {
            (("n", str(number)),): {STEP * n: float(v) for n, v in enumerate(one) if v and STEP * n in times}
            for number, one in enumerate(series)
        }
        found += lives.go_on(times, {labels: points for labels, points in held.items() if points})
    return [*found, *lives.still_firing()]


def _fires(firings: list[Firing], at: int) -> list[dict[str, Any]]:
    names = [dict(one.labels)["n"] for one in firings if one.since <= at and (one.until is None or at < one.until)]
    labels = [f'ALERTS{{alertname="Bad",alertstate="firing",n="{name}",severity="warning"}}' for name in sorted(names)]
    return [{"labels": text, "value": 1} for text in labels]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(series=st.lists(values, min_size=1, max_size=12), hold=spans, keep=spans, parts=st.integers(1, 3))
def test_firings_are_those_of_promtool(
    series: list[list[int | None]], hold: int, keep: int, parts: int, tmp_path: Path, prometheus_tools: Any
) -> None:
    length = max(len(one) for one in series)
    series = [one + [None] * (length - len(one)) for one in series]
    firings = _firings(series, hold, keep, parts)
    rule = {
        "alert": "Bad",
        "expr": "x > 0",
        "for": f"{hold}s",
        "keep_firing_for": f"{keep}s",
        "labels": {"severity": "warning"},
    }
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {
                "interval": f"{STEP}s",
                "input_series": [{"series": f'x{{n="{n}"}}', "values": _text(one)} for n, one in enumerate(series)],
                "promql_expr_test": [
                    {
                        "expr": 'ALERTS{alertstate="firing"}',
                        "eval_time": f"{STEP * n}s",
                        "exp_samples": _fires(firings, STEP * n),
                    }
                    for n in range(length)
                ],
            }
        ],
    }
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}))
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    done = subprocess.run([prometheus_tools.promtool, "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _one(*points: float | None) -> list[Firing]:
    lives = Lives(RULE)
    times = [STEP * n for n in range(len(points))]
    held = {STEP * n: value for n, value in enumerate(points) if value is not None}
    return [
        *lives.go_on([float(at) for at in times], {SUBJECT: {float(at): v for at, v in held.items()}}),
        *lives.still_firing(),
    ]


def test_an_alert_fires_after_its_hold_and_stays_for_a_while() -> None:
    [firing] = _one(1.0, 4.0, 2.0, None, None, None, None, None)
    assert firing == Firing("Bad", SUBJECT, pending=0.0, since=30.0, until=90.0, peak=4.0)


def test_a_gap_within_the_hold_begins_anew() -> None:
    [firing] = _one(1.0, 1.0, None, 1.0, 1.0, 1.0)
    assert (firing.pending, firing.since, firing.until) == (45.0, 75.0, None)


def test_what_comes_back_while_it_is_kept_is_the_same_firing() -> None:
    [firing] = _one(1.0, 1.0, 1.0, None, None, 7.0, None, None, None, None)
    assert (firing.since, firing.until, firing.peak) == (30.0, 135.0, 7.0)


@pytest.mark.parametrize(
    ("expression", "peak"),
    [("x > 0", 3.0), ("x < 5", 1.0), ("(x < 5) and y > 3", 1.0), ("x > 0 and y < 5", 3.0), ("sum(x) <= 9", 1.0), ("x", 3.0)],
)
def test_the_peak_is_the_worst_value(expression: str, peak: float) -> None:
    lives = Lives(AlertingRule("g", STEP, "Bad", expression, (), 0.0, 0.0))
    assert not list(lives.go_on([0.0, 15.0, 30.0], {(): {0.0: 2.0, 15.0: 1.0, 30.0: 3.0}}))
    assert [firing.peak for firing in lives.still_firing()] == [peak]
