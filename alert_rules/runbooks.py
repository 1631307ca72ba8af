"""Runbooks: what someone needs who was just told of an alert, made from the alert itself."""

from __future__ import annotations

from collections.abc import Iterator

from alert_rules import wording
from alert_rules.catalogue import checked
from alert_rules.model import Alert, Guard, MetricCheck, TableCheck
from alert_rules.rules import expression
from contract.keys import panel_url
from contract.settings import Settings
from contract.signals.model import Change, Rate
from recording_rules.registry import query

_SINCE = "2026-11-20 03:10+00"


def check_query(check: MetricCheck) -> str:
    """PromQL of a check: how many there were of what happens, the figure itself of everything else; the worst first."""
    if check.against:
        change = Change(check.signal.key, check.signal.title, check.question, "times", check.signal, check.against)
        return f"sort_desc({query(change, check.by, check.window)})"
    if isinstance(check.signal, Rate):
        return f"sort_desc({check.signal.increase(check.by, check.window)})"
    return f"sort_desc({query(check.signal, check.by, check.window)})"


def _check(number: int, check: MetricCheck | TableCheck) -> Iterator[str]:
    yield f"{number}. {check.question}"
    yield ""
    language, text = ("promql", check_query(check)) if isinstance(check, MetricCheck) else ("sql", check.sql)
    yield f"   ```{language}"
    yield from (f"   {line}" for line in text.splitlines())
    yield "   ```"
    yield ""


def _guard(guard: Guard, settings: Settings) -> str:
    return f"Only with at least {wording.least(guard, settings)} (`thresholds.{guard.least}`)."


def _each(alert: Alert) -> str:
    return f", for each {' and '.join(alert.by)}" if alert.by else ""


def _when(alert: Alert, settings: Settings) -> Iterator[str]:
    side = "above" if alert.comparison == ">" else "below"
    limit = wording.shown(alert.signal.unit, alert.limit(settings))
    setting = f" (`thresholds.{alert.threshold}`)" if isinstance(alert.threshold, str) else ""
    over = f" over {wording.span(alert.window)}" if alert.signal.unit != "currencyUSD" and alert.guards else ""
    yield f"- {alert.signal.description}: {side} {limit}{setting}{over}{_each(alert)}."
    yield from (f"- {_guard(guard, settings)}" for guard in alert.guards)
    if alert.paging:
        yield f"- Only in {', '.join(settings.notifications.paging_environments)} (`notifications.paging_environments`)."
    yield f"- It fires after {wording.span(alert.hold)}." if alert.hold_seconds else "- It fires at once."
    if alert.keep_seconds:
        yield f"- It ends when all has been well for {wording.span(alert.keep_firing_for)}."
    yield ""
    yield from ("```promql", expression(alert, settings), "```")


def _owner(alert: Alert) -> str:
    return f"team {alert.team}" if alert.team else "the team that the label `team` names"


def _silence(alert: Alert, settings: Settings) -> str:
    examples = {"environment": settings.environments[0], "agent": "billing", "scope": "all"}
    matchers = " ".join(f'{label}="{examples.get(label, label.upper())}"' for label in alert.by)
    return (
        f"amtool silence add --alertmanager.url={settings.sources.alertmanager.url} \\\n"
        f'  --duration=1h --author="$USER" --comment="why, and who works on it" \\\n'
        f'  alertname="{alert.name}" {matchers}'
    )


def page(alert: Alert, settings: Settings) -> str:
    """The runbook of one alert, as Markdown."""
    lines = [
        f"# {alert.name}",
        "",
        f"**{alert.summary}** Severity {alert.severity.value}{', pages' if alert.paging else ''}; {_owner(alert)}.",
        "",
        "## What it means",
        "",
        alert.meaning,
        "",
        "## What users notice",
        "",
        alert.impact,
        "",
        "## Look first",
        "",
        f"The panel is [{alert.panel_key}]({panel_url(settings.sources.grafana.url, alert.panel_key)}).",
        f"Queries for Prometheus go into Explore; those for PostgreSQL into psql, after `\\set since '{_SINCE}'` with the",
        "moment from which to look (UTC).",
        "",
        *(line for number, check in enumerate(alert.checks, 1) for line in _check(number, check)),
        "## What to do",
        "",
        *(f"- {step}" for step in alert.next_steps),
        "",
        "## Silence it while you work on it",
        "",
        "```sh",
        _silence(alert, settings),
        "```",
        "",
        "## When it fires",
        "",
        *_when(alert, settings),
    ]
    return "\n".join(lines) + "\n"


def pages(settings: Settings) -> dict[str, str]:
    """All runbooks by file name. Raises AlertError when the alerts are not sound."""
    return {f"{alert.name}.md": page(alert, settings) for alert in checked(settings)}
