"""Service levels: sums of events over their windows, exact numbers, and factors that follow from shares of the budget."""

from __future__ import annotations

import json
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from alert_rules.slo import BURNS
from contract.settings import Settings
from contract.slo import DEFAULTS, Slo
from provisioning.check.expressions import Inspector
from provisioning.check.known import known_series
from provisioning.check.rules import rule_findings
from recording_rules import registry, slo

pytestmark = pytest.mark.usefixtures("on_a_disk")
QUERIES = {"name": "queries", "sli": "errors", "objective": "99.9", "team": "agents", "description": "Agents answer queries."}
GOALS = {"name": "goals", "sli": "success", "objective": "90", "team": "agents", "description": "Goals are achieved."}


def _site(*slos: dict[str, Any]) -> Settings:
    return Settings.model_validate({"slo": list(slos)})


def _expressions(settings: Settings) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group in slo.groups(settings, registry.query):
        for rule in group.rules:
            found.setdefault(rule.record, []).append(registry.rule_expression(rule))
    return found


def _promtool(
    tools: Any, folder: Path, settings: Settings | None, series: dict[str, str], expected: list[Any], step: str,
    backwards: bool = False,
) -> None:
    """Expected are (expression, moment, value); with settings the rules are evaluated too, every `step`.

    `backwards`, what is recorded is read before it is recorded anew.
    """
    groups: list[Any] = registry.rule_groups(settings) if settings else []
    if backwards:
        groups.reverse()
    (folder / "rules.yml").write_text(json.dumps({"groups": groups}))
    tests = [
        {"expr": f"abs(({expr}) - {value}) < bool 1e-9", "eval_time": at, "exp_samples": [{"labels": "{}", "value": 1}]}
        for expr, at, value in expected
    ]
    lines = [{"series": name, "values": values} for name, values in series.items()]
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": step,
        "group_eval_order": [group["name"] for group in groups],
        "tests": [{"interval": step, "input_series": lines, "promql_expr_test": tests}],
    }
    (folder / "test.yml").write_text(json.dumps(document))
    result = subprocess.run([tools.promtool, "test", "rules", folder / "test.yml"], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("days", "factors"), [(30, "14.4 6 3 1"), (28, "13.44 5.6 2.8 0.9333"), (7, "3.36 1.4 0.7 0.2333")])
def test_factors_follow_from_the_share_of_the_budget(days: int, factors: str) -> None:
    level = Slo.model_validate({**QUERIES, "window_days": days})
    found = [level.burn_factor(alert.limit(Settings()), alert.window) for alert in BURNS]
    assert [round(factor, 4) for factor in found] == [Decimal(text) for text in factors.split()]


def test_at_its_factor_an_alert_has_spent_its_share(prometheus_tools: Any, tmp_path: Path) -> None:
    """An error ratio of factor times budget is the alert's share, whatever the length of the period."""
    for number, days in enumerate((30, 28, 7)):
        settings = _site({**QUERIES, "window_days": days})
        made, level = _expressions(settings), settings.slo[0]
        series = {
            'slo:error_budget:ratio{slo="queries",team="agents"}': "0.001x10",
            'slo:period:seconds{slo="queries",team="agents"}': f"{level.window_seconds}x10",
        }
        expected = []
        for alert in BURNS:
            share, window = alert.limit(settings), alert.window
            wrong = float(level.burn_factor(share, window) * level.budget)
            series[f'{slo.ratio(window)}{{scope="all",slo="queries",team="agents"}}'] = f"{wrong!r}x10"
            expected.append((f"sum({made[slo.spent(window, window)][0]})", "5m", share))
        (tmp_path / str(number)).mkdir()
        _promtool(prometheus_tools, tmp_path / str(number), None, series, expected, "1m")


def test_numbers_are_printed_as_decimals() -> None:
    made = _expressions(_site(QUERIES))
    assert made["slo:error_budget:ratio"] == ["vector(0.001)"]
    assert made["slo:objective:ratio"] == ["vector(0.999)"]
    assert made["slo:period:seconds"] == ["vector(2592000)"]


def test_a_quiet_minute_does_not_weigh_as_a_busy_one(prometheus_tools: Any, tmp_path: Path) -> None:
    """Three days at a thousand events a second and three at one, where everything fails, looked at over thirty days."""
    day = 288
    labels = '{environment="production",scope="all",slo="queries",team="agents"}'
    series = {
        f"slo:sli_events:rate5m{labels}": f"_ 1000x{3 * day - 1} 1x{3 * day - 1}",
        f"slo:sli_errors:rate5m{labels}": f"_ 0x{3 * day - 1} 1x{3 * day - 1}",
    }
    made = _expressions(_site(QUERIES))
    _promtool(prometheus_tools, tmp_path, None, series, [(f"sum({made[slo.ratio('30d')][0]})", "6d", 1 / 1001)], "5m")


def test_every_event_of_a_period_counts_once(prometheus_tools: Any, tmp_path: Path) -> None:
    """A full period of seven days in which one five minutes in a hundred fail whole, after one in which all did."""
    labels = '{environment="production",scope="all",slo="queries",team="agents"}'
    # Prometheus 2 looks at both ends of the period, Prometheus 3 at its last end only; at its first there is nothing here.
    series = {
        f"slo:sli_events:rate5m{labels}": "9x2014 _x2 7x2015",
        f"slo:sli_errors:rate5m{labels}": "9x2014 _x2 " + "7x0 0x98 " * 20 + "7x0 0x14",
    }
    wrong, all_ = _expressions(_site({**QUERIES, "window_days": 7}))[slo.ratio("7d")][0].split(" / ")
    expected = [(f"sum({wrong})", "14d", 7 * 21), (f"sum({all_})", "14d", 7 * 2016)]
    _promtool(prometheus_tools, tmp_path, None, series, expected, "5m")


def test_restarts_late_series_and_replicas(prometheus_tools: Any, tmp_path: Path) -> None:
    """The rates below it all: a counter that starts anew, one that appears late, and two exporters that say the same."""
    ended = 'platform_conversations_ended_total{agent="a",environment="production",goal="%s",instance="%s",job="exporter"}'
    query = 'agent_queries_total{agent="a",environment="production",instance="1",job="platform",status="%s",version="1"}'
    series = {
        query % "success": "0+9x30 0+9x30",  # a restart half-way
        query % "error": "_x40 0+1x21",  # the first failure comes late
        **{ended % ("achieved", instance): "0+6x61" for instance in "12"},
        **{ended % ("missed", instance): "0+3x61" for instance in "12"},
    }
    chosen = 'environment="production",scope="all",slo="%s"'
    expected = [
        ("sum(slo:sli_events:rate5m{%s})" % (chosen % "queries"), "25m", 9 / 60),
        ("sum(slo:sli_errors:rate5m{%s})" % (chosen % "queries"), "25m", 0),
        ("sum(slo:sli_events:rate5m{%s})" % (chosen % "queries"), "55m", 10 / 60),
        ("sum(slo:sli_error:ratio_rate5m{%s})" % (chosen % "queries"), "55m", 0.1),
        ("sum(slo:sli_events:rate5m{%s})" % (chosen % "goals"), "55m", 9 / 60),
        ("sum(slo:sli_error:ratio_rate1h{%s})" % (chosen % "goals"), "55m", 1 / 3),
        ("sum(slo:current_burn_rate:ratio{%s})" % (chosen % "goals"), "55m", 10 / 3),
        ("sum(slo:period_error_budget_remaining:ratio{%s})" % (chosen % "goals"), "55m", 1 - 10 / 3),
    ]
    _promtool(prometheus_tools, tmp_path, _site(QUERIES, GOALS), series, expected, "1m")


def test_traffic_that_begins_is_no_error(prometheus_tools: Any, tmp_path: Path) -> None:
    """Everything is answered in time, ever more of it, and buckets were recorded some seconds before they are read."""
    quick = {"name": "quick", "sli": "responses", "objective": "99.9", "target_seconds": 0.5, "team": "platform"}
    first = {"name": "first", "sli": "first_token", "objective": "99.9", "target_seconds": 2.56, "team": "agents", "each": True}
    settings = _site(*(told | {"description": "Answers come in time."} for told in (quick, first)))
    target = 'environment="production",instance="1",job="platform"'
    http = f'http_request_duration_seconds_%s{{{target},handler="/",method="GET"%s}}'
    chunk = f'gen_ai_client_operation_time_to_first_chunk_seconds_%s{{{target},gen_ai_request_model="m"%s}}'
    course = "0x20 0+10x20 200+40x20 1000+160x20"
    series = {
        name % part: course
        for name, bound in ((http, "0.5"), (chunk, "2.56"))
        for part in (("count", ""), ("bucket", f',le="{bound}"'), ("bucket", ',le="+Inf"'))
    }
    expected = [("count(slo:sli_events:rate5m > 0)", "15m", 2), ("max(sum_over_time(slo:sli_errors:rate5m[20m]))", "20m", 0)]
    _promtool(prometheus_tools, tmp_path, settings, series, expected, "15s", backwards=True)


def test_rules_grow_with_service_levels_and_not_with_agents() -> None:
    def count(settings: Settings) -> int:
        return sum(len(group.rules) for group in slo.groups(settings, registry.query))

    one, each = _site(QUERIES), _site({**QUERIES, "each": True})
    assert count(one) == count(each)
    assert count(_site(QUERIES, GOALS)) - count(one) == 5
    assert slo.groups(_site(), registry.query) == ()


def test_levels_of_several_lengths_have_a_window_of_their_own() -> None:
    made = _expressions(_site(QUERIES, {**GOALS, "window_days": 7}))
    assert 'slo:sli_errors:rate5m{slo="goals"}[7d:300s]' in made[slo.ratio("7d")][0]
    assert 'slo:sli_errors:rate5m{slo="queries"}[30d:300s]' in made[slo.ratio("30d")][0]
    assert "(slo:sli_error:ratio_rate7d or slo:sli_error:ratio_rate30d)" in made[slo.PERIOD_BURN][0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"objective": None}, "how many per cent"),
        ({"objective": 100}, "less than 100"),
        ({"target_seconds": 0.5}, "only there: a time in seconds"),
        ({"sli": "latency"}, "only there: a time in seconds"),
        (
            {"sli": "latency", "target_seconds": 3},
            "no bucket bound of agent_query_duration_seconds, so nothing counts it; take 2.7",
        ),
        ({"sli": "cost", "budget_usd": 10}, "money has no objective"),
        ({"sli": "requests", "agents": ["billing"]}, "requests is not counted so"),
        ({"models": ["gpt-4.1"]}, "only first_token"),
        ({"team": "nobody"}, "none of the teams platform, agents, finance"),
        ({"environments": ["moon"]}, "none of the environments production"),
        ({"window_days": 31}, "7, 28 or 30"),
    ],
)
def test_mistakes_are_said(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        _site({**QUERIES, **change})


def test_names_are_unique() -> None:
    with pytest.raises(ValidationError, match="named twice: queries"):
        _site(QUERIES, QUERIES)


def test_a_site_that_says_nothing_has_levels_of_its_own_environments() -> None:
    settings = Settings.model_validate({"environments": ["live", "test"], "notifications": {"paging_environments": ["live"]}})
    assert {level.sli for level in DEFAULTS} >= {"availability", "latency", "success", "first_token", "cost"}
    rates = [expression for name, made in _expressions(settings).items() if name.endswith(":rate5m") for expression in made]
    assert rates and all('environment="live"' in expression for expression in rates)


def test_a_period_that_prometheus_does_not_keep_is_refused() -> None:
    site = Settings.model_validate({"slo": [QUERIES], "sources": {"prometheus": {"retention": "20d"}}})
    groups = registry.rule_groups(site)
    found = rule_findings(groups, Inspector.of(site, known_series(groups)), site)
    (refused,) = (finding for finding in found if finding.check == "promql/retention")
    assert refused.place == "recording rule slo:sli_error:ratio_rate30d"
    assert refused.severity == "error" and refused.message == "looks back 30d, but Prometheus keeps 20d"
