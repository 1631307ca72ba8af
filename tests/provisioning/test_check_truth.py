"""What the checks say of an expression is what a real Prometheus makes of it."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path
from typing import Literal

import promql_parser
import pytest
import yaml

from contract.catalogue import series_catalogue
from contract.labels import LABELS
from contract.metrics import Metric, MetricType
from provisioning.check.known import known_series
from provisioning.check.tree import names_read
from tests.conftest import PrometheusTools
from tests.provisioning.test_check_lint import FAST, RIGHT, SLOW, WRONG

Answer = Literal["nothing", "series", "refused"]

_SOME = {"environment": ("production", "staging"), "status": ("success", "failed"), "job": ("platform",), "instance": ("i",)}
KNOWN = known_series([FAST, SLOW])
DECIDED = [text for check, text, message, _ in WRONG if check == "promql/decided" and "never" in message]


def _values(metric: Metric, label: str) -> tuple[str, ...]:
    """Two values of a label, and every bound of a histogram."""
    if label == "le":
        return (*(f"{bound:g}" for bound in metric.buckets), "+Inf")
    known = {
        "environment": ("production", "staging"),
        "status": ("success", "failed"),
        "job": ("platform",),
        "instance": ("i",),
    }
    return known.get(label) or LABELS[label].values[:2] or ("a", "b")


def _scraped(names: frozenset[str]) -> list[dict[str, str]]:
    """Series of everything that these names are made of, with two values for each label."""
    found = []
    for name in sorted(names):
        if (metric := series_catalogue().get(name)) is None:
            found += _scraped(frozenset().union(*(names_read(node) for node in KNOWN[name].made)))
            continue
        labels = sorted(KNOWN[name].labels or ())
        values = "1x240" if metric.type is MetricType.GAUGE else "0+1x240"
        for combination in itertools.product(*(_values(metric, label) for label in labels)):
            selector = ",".join(f'{label}="{value}"' for label, value in zip(labels, combination, strict=True))
            found.append({"series": f"{name}{{{selector}}}", "values": values})
    return found


def answer(expression: str, promtool: Path, folder: Path) -> Answer:
    """What a real Prometheus answers half an hour after the series began."""
    names = names_read(promql_parser.parse(expression))
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [FAST, SLOW]}))
    question = {"expr": expression, "eval_time": "30m", "exp_samples": []}
    test = {"interval": "15s", "input_series": _scraped(names), "promql_expr_test": [question]}
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [test]}
    (folder / "test.yml").write_text(yaml.safe_dump(document))
    done = subprocess.run([promtool, "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, timeout=60)
    if done.returncode == 0:
        return "nothing"
    said = done.stdout + done.stderr
    assert "got:" in said or "err:" in said, said
    return "refused" if "err:" in said else "series"


def of_check(check: str) -> list[str]:
    return [text for name, text, _, _ in WRONG if name == check]


@pytest.mark.parametrize("expression", [*of_check("promql/impossible-selector"), *of_check("promql/never-matches"), *DECIDED])
def test_what_is_said_to_match_nothing_gives_nothing(
    expression: str, prometheus_tools: PrometheusTools, tmp_path: Path
) -> None:
    assert answer(expression, prometheus_tools.promtool, tmp_path) == "nothing"


@pytest.mark.parametrize("expression", [text for text in of_check("promql/cardinality") if "agent_conversations" not in text])
def test_what_is_said_to_have_no_partner_is_refused(expression: str, prometheus_tools: PrometheusTools, tmp_path: Path) -> None:
    assert answer(expression, prometheus_tools.promtool, tmp_path) == "refused"


@pytest.mark.parametrize(
    "check", ["promql/impossible-selector", "promql/never-matches", "promql/cardinality", "promql/bucket-bound"]
)
def test_what_is_said_to_be_right_is_answered(check: str, prometheus_tools: PrometheusTools, tmp_path: Path) -> None:
    unfit = ("1048576", "a.+", "absent")  # these ask for values that the series here do not have
    for expression in (text for text in RIGHT[check] if not any(word in text for word in unfit)):
        assert answer(expression, prometheus_tools.promtool, tmp_path) == "series", expression
