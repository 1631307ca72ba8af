"""The words of alerts: placeholders as Prometheus templates, and as the text that people will read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from string import Formatter
from urllib.parse import quote_plus

from alert_rules.model import Alert, Guard, Labels
from contract.keys import dashboard_uid, panel_id, panel_url
from contract.settings import Settings

VARIABLES = ("environment", "agent")
"""Labels that are variables of the dashboards; a link carries those that the alert has."""

VALUE_TEMPLATES = {
    "percentunit": "{{ $value | humanizePercentage }}",
    "s": "{{ $value | humanizeDuration }}",
    "currencyUSD": '{{ printf "%.0f USD" $value }}',
    "reqps": '{{ printf "%.4g per second" $value }}',
    "ops": '{{ printf "%.4g per second" $value }}',
    "bytes": "{{ $value | humanize1024 }}B",
    "times": '{{ printf "%.4g times" $value }}',
    "events": '{{ printf "%.0f" $value }}',
    "short": '{{ printf "%.4g" $value }}',
    "none": '{{ printf "%.4g" $value }}',
}
"""How Prometheus prints a value, by Grafana's unit; `times` is a factor, `events` are whole."""
_SPANS = {"ms": "millisecond", "s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}


def decimal(number: float) -> str:
    """A number as people write it: 0.05, 5, 12.5; never with an exponent or binary noise."""
    return f"{Decimal(repr(round(float(number), 9))).normalize():f}"


def span(duration: str) -> str:
    """A duration in words: `5m` is "5 minutes"; a compound duration stays as it is."""
    count, unit = duration.rstrip("msdhw"), duration.lstrip("0123456789")
    word = _SPANS.get(unit)
    return f"{count} {word}{'' if count == '1' else 's'}" if word and count.isdigit() else duration


def least(guard: Guard, settings: Settings) -> str:
    """What a guard asks for: `10 agent queries in 5 minutes`, and how long ago where it is not about now."""
    what = guard.signal.title[0].lower() + guard.signal.title[1:]
    ago = f", {span(guard.signal.offset)} before" if guard.signal.offset else ""
    return f"{guard.count(settings)} {what} in {span(guard.window)}{ago}"


def shown(unit: str, value: float) -> str:
    """A value as Prometheus prints it through the alert's template."""
    match unit:
        case "percentunit":
            return f"{_four(value * 100)}%"
        case "s":
            return _duration(value)
        case "currencyUSD":
            return f"{value:.0f} USD"
        case "events":
            return f"{value:.0f}"
        case "reqps" | "ops":
            return f"{_four(value)} per second"
        case "bytes":
            return f"{_binary(value)}B"
        case "times":
            return f"{_four(value)} times"
        case _:
            return _four(value)


def _four(value: float) -> str:
    """Go's `%.4g`."""
    text = f"{value:.4g}"
    return re.sub(r"e([+-])(\d)$", r"e\g<1>0\2", text)


def _duration(seconds: float) -> str:
    """Prometheus' humanizeDuration, for what is not negative."""
    if seconds < 1:
        for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns")):
            if seconds == 0 or seconds * factor >= 1:
                return f"{_four(seconds * factor)}{name}"
    if seconds < 60:
        return f"{_four(seconds)}s"
    whole = int(seconds)
    days, hours, minutes, rest = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    parts = [f"{days}d", f"{hours}h", f"{minutes}m", f"{rest}s"]
    first = 0 if days else 1 if hours else 2
    return " ".join(parts[first:])


def _binary(value: float) -> str:
    """Prometheus' humanize1024."""
    for prefix in ("", "ki", "Mi", "Gi", "Ti", "Pi"):
        if abs(value) < 1024:
            return f"{_four(value)}{prefix}"
        value /= 1024
    return f"{_four(value)}Ei"


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
        "__dashboardUid__": dashboard_uid(alert.panel_key.split("/", 1)[0]),
        "__panelId__": str(panel_id(alert.panel_key)),
    }


def _link(alert: Alert, settings: Settings) -> str:
    variables = tuple(label for label in VARIABLES if label in alert.by)
    return panel_url(settings.sources.grafana.url, alert.panel_key, variables)


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
    own = {name: value for name, value in own.items() if value and name not in alert.by}
    return own | ({"paging": "true"} if alert.paging else {}) | dict(alert.labels)
