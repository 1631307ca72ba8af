"""The words of alerts: placeholders as Prometheus templates, and as the text that people will read."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from string import Formatter
from urllib.parse import quote_plus

from alert_rules.model import Alert, Labels
from contract.keys import dashboard_uid, panel_id, panel_url
from contract.settings import Settings

VARIABLES = ("environment", "agent")
"""Labels that are variables of the dashboards; a link carries those that the alert has."""

VALUE_TEMPLATES = {
    "percentunit": "{{ $value | humanizePercentage }}",
    "s": "{{ $value | humanizeDuration }}",
    "currencyUSD": '{{ printf "%.0f USD" $value }}',
}
_SPANS = {"ms": "millisecond", "s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}


def decimal(number: float) -> str:
    """A number as people write it: 0.05, 5, 12.5; never with an exponent or binary noise."""
    return f"{Decimal(repr(round(float(number), 9))).normalize():f}"


def span(duration: str) -> str:
    """A duration in words: `5m` is "5 minutes"; a compound duration stays as it is."""
    count, unit = duration.rstrip("msdhw"), duration.lstrip("0123456789")
    word = _SPANS.get(unit)
    return f"{count} {word}{'' if count == '1' else 's'}" if word and count.isdigit() else duration


def shown(unit: str, value: float) -> str:
    """A value as Prometheus prints it through the alert's template; durations below an hour."""
    if unit == "percentunit":
        return f"{value * 100:.4g}%"
    if unit == "s":
        if value < 1:
            return f"{value * 1000:.4g}ms"
        return f"{int(value // 60)}m {int(value % 60)}s" if value >= 60 else f"{value:.4g}s"
    return f"{value:.0f} USD"


def fields(text: str) -> list[str]:
    """Names of the placeholders in a text. Raises ValueError when its braces do not match."""
    return [name for _, name, _, _ in Formatter().parse(text) if name is not None]


def placeholders(alert: Alert) -> tuple[str, ...]:
    return ("value", "threshold", "window", "hold", *alert.by)


def _words(alert: Alert, settings: Settings) -> dict[str, str]:
    limit = shown(alert.signal.unit, alert.limit(settings))
    return {"threshold": limit, "window": span(alert.window).removeprefix("1 "), "hold": span(alert.hold)}


def value_template(alert: Alert) -> str:
    return VALUE_TEMPLATES[alert.signal.unit]


def _texts(alert: Alert, settings: Settings, value: str, labels: Mapping[str, str], dashboard_url: str) -> dict[str, str]:
    words = _words(alert, settings)
    side = "above" if alert.comparison == ">" else "below"
    return {
        "summary": alert.summary,
        "description": alert.description.format(**words, **labels, value=value),
        "value": value,
        "threshold": f"{side} {words['threshold']}",
        "runbook_url": f"{settings.runbook_url}/{alert.name}",
        "dashboard_url": dashboard_url,
        "__dashboardUid__": dashboard_uid(alert.panel.split("/", 1)[0]),
        "__panelId__": str(panel_id(alert.panel)),
    }


def _link(alert: Alert, settings: Settings) -> str:
    variables = tuple(label for label in VARIABLES if label in alert.by)
    return panel_url(settings.sources.grafana.url, alert.panel, variables)


def rule_annotations(alert: Alert, settings: Settings) -> dict[str, str]:
    """The annotations of the rule: Prometheus fills in value and labels when the alert fires."""
    labels = {label: f"{{{{ $labels.{label} }}}}" for label in alert.by}
    return _texts(alert, settings, value_template(alert), labels, _link(alert, settings))


def rendered(alert: Alert, settings: Settings, labels: Labels, value: float) -> dict[str, str]:
    """The annotations as people read them, for an alert that fires with these labels and this value."""
    link = _link(alert, settings)
    for name, text in labels:
        link = link.replace(f"{{{{ $labels.{name} | urlquery }}}}", quote_plus(text))
    return _texts(alert, settings, shown(alert.signal.unit, value), dict(labels), link)


def rule_labels(alert: Alert) -> dict[str, str]:
    """The labels that the rule adds to those of the data."""
    own = {"severity": alert.severity.value, "team": alert.team, "source": alert.source, "concern": alert.concern}
    return own | ({"paging": "true"} if alert.paging else {})
