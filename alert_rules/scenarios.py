"""Scenarios as promtool tests: input series in Prometheus' notation, and what must fire, with all labels and annotations."""

from __future__ import annotations

from alert_rules import wording
from alert_rules.catalogue import checked
from alert_rules.model import Alert, Flow, Labels, Phase, Scenario
from alert_rules.rules import rule_groups
from contract.catalogue import series_catalogue
from contract.metrics import Source
from contract.settings import Settings
from contract.values import duration_seconds
from recording_rules import registry

RULE_FILES = "../rules/*.yml"
"""Where the tests find the rules, as seen from their own folder."""

_BASE = 1_000_000.0
"""What counters start from. A counter that starts at zero is extrapolated less, which is right but another story."""

_Series = tuple[str, Labels]


def _text(series: _Series) -> str:
    name, labels = series
    source = series_catalogue()[name].source
    target = {"job": "platform", "instance": "127.0.0.1:9470"} if source is Source.PLATFORM else {
        "job": "exporter", "instance": "127.0.0.1:9464"}  # fmt: skip
    inner = ",".join(f'{label}="{value}"' for label, value in sorted((target | dict(labels)).items()))
    return f"{name}{{{inner}}}"


def _values(series: _Series, phases: tuple[Phase, ...], step: float) -> str:
    """The samples of one series, one every `step` seconds, the first at zero."""
    counts = Flow(*series, 0.0).counts
    value: float | None = None
    parts = []
    for number, phase in enumerate(phases):
        count = round(phase.seconds / step) + (number == 0)
        if phase.flows is None:
            parts.append(f"_x{count}" if value is None else f"stale _x{count - 1}")
            value = None
            continue
        amount = sum(flow.amount for flow in phase.flows if (flow.series, flow.labels) == series)
        growth = amount * step / 60 if counts else 0.0
        start = (_BASE if value is None else value + growth) if counts else amount
        parts.append(f"{wording.decimal(start)}+{wording.decimal(growth)}x{count - 1}")
        value = start + growth * (count - 1)
    return " ".join(parts)


def case(alert: Alert, scenario: Scenario, settings: Settings) -> dict[str, object]:
    """One test of a promtool file: the scenario's data, and what Prometheus must say at its moments."""
    step = duration_seconds(settings.sources.prometheus.scrape_interval)
    series = sorted({(flow.series, flow.labels) for phase in scenario.phases for flow in phase.flows or ()})
    moments: dict[float, list[dict[str, object]]] = {moment: [] for moment in scenario.quiet}
    for moment, value in scenario.firing:
        moments[moment] = [
            {
                "exp_labels": wording.rule_labels(alert) | dict(scenario.labels),
                "exp_annotations": wording.rendered(alert, settings, scenario.labels, value),
            }
        ]
    return {
        "name": f"{alert.name} {scenario.kind.value}: {scenario.story}",
        "interval": f"{wording.decimal(step)}s",
        "input_series": [{"series": _text(one), "values": _values(one, scenario.phases, step)} for one in series],
        "alert_rule_test": [
            {"eval_time": f"{wording.decimal(moment)}s", "alertname": alert.name, "exp_alerts": expected}
            for moment, expected in sorted(moments.items())
        ],
    }


def promtool_file(cases: list[dict[str, object]], settings: Settings) -> dict[str, object]:
    """A promtool test file around cases. All groups are evaluated at every scrape, in the order in which they read."""
    groups = [*registry.rule_groups(), *rule_groups(settings)]
    return {
        "rule_files": [RULE_FILES],
        "evaluation_interval": settings.sources.prometheus.scrape_interval,
        "group_eval_order": [group["name"] for group in groups],
        "tests": cases,
    }


def promtool_files(settings: Settings) -> dict[str, dict[str, object]]:
    """One promtool test file an alert, by file name."""
    return {
        f"{alert.name}.yml": promtool_file([case(alert, one, settings) for one in alert.scenarios(alert, settings)], settings)
        for alert in checked(settings)
    }
