"""How things stand beside the panels: alerts of the range, service levels at its end, and the age of what the sources say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from contract.settings import Settings
from provisioning.doctor import sources
from provisioning.doctor.prometheus import Prometheus, QueryError
from provisioning.findings import Unreachable
from provisioning.interpolation import Span
from provisioning.report.model import Section, Table, number_column, text_column, time_column
from recording_rules.slo import LABELS, PERIOD_BURN, REMAINING

_FIRING = 'ALERTS{alertstate="firing", alertname!="Watchdog"}'
_OBJECTIVE = "slo:objective:ratio"
_REACHED = f"1 - max by ({', '.join(LABELS)}) ({PERIOD_BURN}) * on (slo, team) group_left () slo:error_budget:ratio"
_DATA_TIME = "max by (source) (exporter_source_data_timestamp_seconds)"
_LOOKS = 2000
"""At most so many looks over the range: Prometheus gives no more than 11000 points of a series."""


def sections(settings: Settings, span: Span) -> tuple[Section, ...]:
    """Alerts, service levels, sources. What cannot be read says so in its note."""
    prometheus = Prometheus(settings.sources.prometheus.url)
    return (
        _told("alerts", "Alerts in the range", "No alert fired in the range.", lambda: _alerts(prometheus, span)),
        _told(
            "service-levels", "Service levels at the end", "No service level is measured.", lambda: _levels(prometheus, span)
        ),
        _told("sources", "Sources", "No source is known.", lambda: _health(settings)),
        _told("ages", "Age of the figures at the end", "Nothing says how old they are.", lambda: _ages(prometheus, span)),
    )


def _told(key: str, title: str, none: str, ask: Callable[[], Table]) -> Section:
    try:
        table = ask()
    except (Unreachable, QueryError) as problem:
        return Section(key, title, note=f"Could not be read: {problem}")
    return Section(key, title, (table,)) if table.rows else Section(key, title, note=none)


def _alerts(prometheus: Prometheus, span: Span) -> Table:
    step = max(15, math.ceil(span.seconds / _LOOKS))
    found = prometheus.range(_FIRING, Span(span.start, span.end, step))
    end = int(span.end) // step * step
    seen = sorted(((_times(series), series["metric"]) for series in found), key=lambda entry: entry[0][0])
    columns = (
        text_column("Alert", [labels["alertname"] for _, labels in seen]),
        text_column("Severity", [labels.get("severity", "") for _, labels in seen]),
        text_column("Of", [_others(labels) for _, labels in seen]),
        time_column("First seen", [times[0] for times, _ in seen]),
        time_column("Last seen", [times[-1] for times, _ in seen]),
        number_column("Firing", [float(len(times) * step) for times, _ in seen], "seconds (s)"),
        text_column("At the end", ["firing" if times[-1] >= end else "over" for times, _ in seen]),
    )
    return Table(columns)


def _times(series: Mapping[str, Any]) -> list[float]:
    return [float(at) for at, _ in series["values"]]


def _others(labels: Mapping[str, str]) -> str:
    own = ("__name__", "alertname", "alertstate", "severity", "team")
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name not in own)


def _levels(prometheus: Prometheus, span: Span) -> Table:
    by = f"max by ({', '.join(LABELS)})"
    left = _by_labels(prometheus, f"{by} ({REMAINING})", span)
    reached = _by_labels(prometheus, _REACHED, span)
    objectives = {(key[2], key[3]): value for key, value in _by_labels(prometheus, _OBJECTIVE, span).items()}
    keys = sorted(left)
    columns = (
        *(text_column(name, [key[place] for key in keys]) for place, name in ((2, "Service level"), (1, "Of"))),
        *(text_column(name, [key[place] for key in keys]) for place, name in ((0, "Environment"), (3, "Team"))),
        _share("Objective", [objectives.get((key[2], key[3])) for key in keys]),
        _share("Reached", [reached.get(key) for key in keys]),
        _share("Budget left", [left[key] for key in keys]),
        text_column("State", ["missed" if left[key] < 0 else "met" for key in keys]),
    )
    return Table(columns)


def _by_labels(prometheus: Prometheus, expression: str, span: Span) -> dict[tuple[str, ...], float]:
    found = prometheus.instant(expression, span.end)
    return {tuple(one["metric"].get(label, "") for label in LABELS): float(one["value"][1]) for one in found}


def _share(name: str, values: list[float | None]) -> Any:
    texts = ["" if value is None else f"{100 * value:.4g} %" for value in values]
    return number_column(name, values, "Percent (0.0-1.0)", texts)


def _health(settings: Settings) -> Table:
    prometheus = Prometheus(settings.sources.prometheus.url)
    ways = [way for way in sources.postgres_of(settings) if way]
    found = [sources.prometheus_health(prometheus), *map(sources.postgres_health, ways), sources.alertmanager_health(settings)]
    return Table(
        (
            text_column("Source", [source.name for source in found]),
            text_column("Answers", ["yes" if source.reachable else "no" for source in found]),
            text_column("Says", [source.message for source in found]),
        )
    )


def _ages(prometheus: Prometheus, span: Span) -> Table:
    found = sorted(
        (one["metric"].get("source", ""), float(one["value"][1])) for one in prometheus.instant(_DATA_TIME, span.end)
    )
    ages: list[float | None] = [round(span.end - at, 1) for _, at in found]
    return Table(
        (
            text_column("Source", [name for name, _ in found]),
            time_column("Newest figures", [at for _, at in found]),
            number_column("Age", ages, "seconds (s)", [f"{age:g} s" for age in ages]),
        )
    )
