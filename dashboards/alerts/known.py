"""What a table of alerts knows beyond their labels: what each means, where its panel is, and how bad it is.

Grafana shows a value through its mapping, and links read what is shown. So a column that repeats the alert's name becomes its
summary, or the address of its panel, without asking any source again.
"""

from __future__ import annotations

from alert_rules.catalogue import active
from alert_rules.model import Severity
from contract.keys import dashboard_uid, panel_id
from contract.settings import Settings
from dashboards.lib import colours
from dashboards.lib.field import Json, Link, Override, Word, named, words
from dashboards.lib.spoken import WITHIN, within

SEVERITY_COLOURS = {
    Severity.CRITICAL: colours.DOWN,
    Severity.WARNING: colours.DEGRADED,
    Severity.INFO: colours.PURPLE,
}
WORST_FIRST = {f"{rank}": severity for rank, severity in enumerate(SEVERITY_COLOURS, start=1)}
"""Severities as figures that sort."""
ABOUT: list[Json] = [within(r"\S+;", ""), *WITHIN]
"""Mappings for a column of what alerts are about: of a group of rules its name, without the file; words for what is none."""
COPIES = ("what", "tab", "panel")
"""Columns that repeat the alert's name."""


def severity_words() -> list[Json]:
    """For a column that holds the ranks of WORST_FIRST."""
    return words({rank: Word(severity.value, SEVERITY_COLOURS[severity]) for rank, severity in WORST_FIRST.items()})


def overrides(settings: Settings, alert: str = "Alert", what: str = "What") -> tuple[Override, ...]:
    """Meaning and links for the columns called `alert` and `what`. Links read the hidden columns tab and panel."""
    alerts = active(settings)
    tab = {a.name: Word(dashboard_uid(a.panel_key.split("/", 1)[0])) for a in alerts}
    panel = {a.name: Word(f"{panel_id(a.panel_key)}") for a in alerts}
    links = (
        Link("Its panel", "/d/${__data.fields.tab}?${__url_time_range}&${__all_variables}&viewPanel=${__data.fields.panel}"),
        Link("Its runbook", f"{settings.runbook_url}/${{__value.raw}}", new_tab=True),
    )
    return (
        named(alert, links=[link.to_json_data() for link in links]),
        named(what, mappings=words({a.name: Word(a.summary) for a in alerts})),
        named("tab", mappings=words(tab), custom_hideFrom={"viz": True, "legend": True, "tooltip": True}),
        named("panel", mappings=words(panel), custom_hideFrom={"viz": True, "legend": True, "tooltip": True}),
    )


def labels(settings: Settings) -> str:
    """The labels by which alerts of one name differ, for SQL."""
    return ", ".join(f"'{label}'" for label in sorted({label for alert in active(settings) for label in alert.by}))


def with_copies(expression: str) -> str:
    """The alerts of an expression, each with the columns that repeat its name."""
    for copy in COPIES:
        expression = f'label_replace({expression}, "{copy}", "$1", "alertname", "(.*)")'
    return expression


def ranked(expression: str) -> str:
    """The alerts of an expression, with ranks that sort in place of their severities."""
    for rank, severity in WORST_FIRST.items():
        expression = f'label_replace({expression}, "severity", "{rank}", "severity", "{severity}")'
    return expression


def about(expression: str, settings: Settings) -> str:
    """The alerts of an expression with a label `about`: the values of all labels that say what each of them is about."""
    shown_apart = {"environment", "team"}
    labels = sorted({label for alert in active(settings) for label in alert.by} - shown_apart)
    names = ", ".join(f'"{label}"' for label in labels)
    return f'label_join({expression}, "about", " ", {names})'
