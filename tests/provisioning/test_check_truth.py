"""What the checks say of an expression is what a real Prometheus makes of it: for the examples, and for random operators."""

from __future__ import annotations

import itertools
import random
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import promql_parser
import pytest
import yaml

from contract.catalogue import series_catalogue
from contract.labels import LABELS
from contract.metrics import Metric, MetricType
from provisioning.check.known import known_series
from provisioning.check.tree import names_read
from tests.conftest import PrometheusTools
from tests.provisioning.expression_cases import BUILD, FAST, INSPECTOR, P95, RIGHT, RUNNING, SLOW, WRONG

NOTHING, SERIES, REFUSED = "nothing", "series", "refused"
KNOWN = known_series([FAST, SLOW])
_SOME = {
    "environment": ("production", "staging"),
    "status": ("success", "failed"),
    "job": ("platform",),
    "instance": ("i", "j"),
}
_SAID = re.compile(r'expr: (?P<text>"(?:\\.|[^"\\])*"), time: 30m,\s*(?P<kind>exp|err):')


def _values(metric: Metric, label: str) -> tuple[str, ...]:
    """Two values of a label, and every bound of a histogram."""
    if label == "le":
        return (*(f"{int(bound)}" if bound == int(bound) else f"{bound:g}" for bound in metric.buckets), "+Inf")
    return _SOME.get(label) or LABELS[label].values[:2] or ("a", "b")


def _scraped(names: Iterable[str]) -> dict[str, str]:
    """Series, with their samples, of everything that these names are made of."""
    found: dict[str, str] = {}
    for name in names:
        if (metric := series_catalogue().get(name)) is None:
            found |= _scraped(itertools.chain.from_iterable(names_read(node) for node in KNOWN[name].made))
            continue
        labels = sorted(KNOWN[name].labels or ())
        for combination in itertools.product(*(_values(metric, label) for label in labels)):
            selector = ",".join(f'{label}="{value}"' for label, value in zip(labels, combination, strict=True))
            found[f"{name}{{{selector}}}"] = "1x240" if metric.type is MetricType.GAUGE else "0+1x240"
    return found


def answers(expressions: list[str], promtool: Path, folder: Path) -> dict[str, str]:
    """What a real Prometheus answers to each half an hour after the series began."""
    names = sorted(set().union(*(names_read(promql_parser.parse(text)) for text in expressions)))
    series = [{"series": name, "values": values} for name, values in sorted(_scraped(names).items())]
    questions = [{"expr": text, "eval_time": "30m", "exp_samples": []} for text in expressions]
    test = {"interval": "15s", "input_series": series, "promql_expr_test": questions}
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [test]}
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [FAST, SLOW]}))
    (folder / "test.yml").write_text(yaml.safe_dump(document))
    done = subprocess.run([promtool, "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, timeout=120)
    said = {yaml.safe_load(found["text"]): found["kind"] for found in _SAID.finditer(done.stdout + done.stderr)}
    assert (done.returncode == 0) == (not said), done.stdout + done.stderr
    kinds = {None: NOTHING, "exp": SERIES, "err": REFUSED}
    return {text: kinds[said.get(text)] for text in expressions}


def _wrong(check: str, part: str = "") -> list[str]:
    """The examples of a check; which of equal series topk takes is chance."""
    return [text for name, text, message, _ in WRONG if name == check and part in message and "topk" not in text]


@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        (_wrong("promql/impossible-selector") + _wrong("promql/never-matches") + _wrong("promql/decided", "never"), NOTHING),
        (_wrong("promql/cardinality", "environment") + _wrong("promql/cardinality", "version"), REFUSED),
        (list(RIGHT["promql/never-matches"] + RIGHT["promql/cardinality"]), SERIES),
        ([text for text in RIGHT["promql/impossible-selector"] + RIGHT["promql/bucket-bound"] if "a.+" not in text], SERIES),
    ],
    ids=["matches nothing", "has no partner", "finds its partners", "selects something"],
)
def test_the_examples(expressions: list[str], expected: str, prometheus_tools: PrometheusTools, tmp_path: Path) -> None:
    assert answers(expressions, prometheus_tools.promtool, tmp_path) == dict.fromkeys(expressions, expected)


# ---- random operators

_SIDES = (
    (f"{RUNNING}{{}}", ("agent", "environment", "instance")),
    (f'{RUNNING}{{environment="production"}}', ("agent", "environment", "instance")),
    (f'{BUILD}{{version="a"}}', ("agent", "environment", "version", "model")),
    ("rate(agent_queries_total[5m])", ("agent", "environment", "status", "version")),
    ('rate(agent_queries_total{status="failed"}[5m])', ("agent", "environment", "status", "version")),
    ("agent:queries:rate5m", ("agent", "environment", "status")),
    (P95, ("agent",)),
    ("last_over_time(agent:errors:ratio[15m])", ("agent",)),
    ("last_over_time(slo:objective:ratio[15m])", ("slo",)),
)
_MATCHING = (
    "", "", "on (agent)", "on (agent, environment)", "ignoring (status)", "ignoring (version, model)",
    "on (agent) group_left ()", "on (agent) group_right ()", "on () group_left ()", "ignoring (status) group_left ()",
)  # fmt: skip


def _side(choose: random.Random) -> str:
    text, labels = choose.choice(_SIDES)
    some = ", ".join(choose.sample(labels, choose.randrange(1, len(labels) + 1)))
    return choose.choice((text, f"sum({text})", f"sum by ({some}) ({text})", f"max without ({some}) ({text})"))


def _operator(choose: random.Random) -> str:
    matching = choose.choice(_MATCHING)
    operator = choose.choice(("/", "*", "+", "-") if "group" in matching else ("/", "*", "+", "and"))
    return f"({_side(choose)}) {operator} {matching} ({_side(choose)})"


@pytest.mark.parametrize("seed", range(3))
def test_random_operators(seed: int, prometheus_tools: PrometheusTools, tmp_path: Path) -> None:
    """What passes is answered with series; what never matches gives nothing; what has no partner is refused."""
    choose = random.Random(seed)
    expressions = sorted({_operator(choose) for _ in range(250)})
    found = {text: {finding.check for finding in INSPECTOR.findings("x", text)} for text in expressions}
    answered = answers(expressions, prometheus_tools.promtool, tmp_path)
    expected = {frozenset(): SERIES, frozenset({"promql/never-matches"}): NOTHING, frozenset({"promql/cardinality"}): REFUSED}
    sure = {text: expected[frozenset(checks)] for text, checks in found.items() if frozenset(checks) in expected}
    assert set(sure.values()) == {SERIES, NOTHING, REFUSED} and len(sure) > 50
    assert {text: answered[text] for text in sure} == sure
