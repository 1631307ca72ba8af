"""What fires now, what is muted, and what fired in the chosen range."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.model import Level, equal
from dashboards.alerts import known
from dashboards.lib import colours
from dashboards.lib.field import PLAIN, Thresholds, Word, named, painted, words
from dashboards.lib.figures import Stat
from dashboards.lib.firing import FIRING, alerts, of_severity, since
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask
from dashboards.lib.states import StateTimeline
from dashboards.lib.tables import COLOURED_TEXT, NARROW, Table, columns

MUTED = Level(
    "muted_alerts", "Muted", "Alerts that a silence or a worse alert keeps from being told", "short", "alertmanager_alerts",
    (equal("state", "suppressed"),), "max",
)  # fmt: skip
SILENCES = Level(
    "silences", "Silences", "Silences that act now", "short", "alertmanager_silences", (equal("state", "active"),), "max"
)
_HARMLESS = Thresholds(colours.OK, ((1, colours.NEUTRAL),))
_COUNTED = {
    "critical": (of_severity("firing", "critical"), Thresholds(colours.OK, ((1, colours.DOWN),))),
    "warning": (of_severity("firing", "warning"), Thresholds(colours.OK, ((1, colours.DEGRADED),))),
    "info": (of_severity("firing", "info"), Thresholds(colours.OK, ((1, colours.PURPLE),))),
    "about to fire": (alerts("pending"), _HARMLESS),
}
_LEVELS = {3: Word("critical", colours.DOWN), 2: Word("warning", colours.DEGRADED), 1: Word("info", colours.PURPLE)}
_NOT_A_SUBJECT = "platform|exporter|foreign"
"""Sources that nearly every alert has, and that say nothing about what this one is about."""


def counts() -> Panel:
    parts = {name: f"(count({asked}) or vector(0))" for name, (asked, _) in _COUNTED.items()}
    told = {"muted": ask(MUTED), "silences": ask(SILENCES)}
    return Stat(
        name="counts",
        title="Alerts now",
        description="How many alerts fire by severity, how many are true but not yet for long enough, how many Alertmanager "
        "keeps to itself because of a silence or a worse alert, and how many silences act. A silence that nobody remembers "
        "hides the next incident: look at it in Alertmanager.",
        targets=(PromQuery(expr=union("part", {**parts, **told}), legend="{{part}}", instant=True),),
        unit="short",
        limits=_HARMLESS,
        overrides=tuple(named(name, thresholds=limits.to_json_data()) for name, (_, limits) in _COUNTED.items()),
        no_value="Prometheus does not answer",
        shown="value_and_name",
        filled=True,
        value_size=28,
    )


def now(settings: Settings) -> Panel:
    subject = f'label_replace({since(FIRING)}, "source", "", "source", "{_NOT_A_SUBJECT}")'
    headings = {
        "severity": "Severity", "alertname": "Alert", "what": "What", "about": "About", "environment": "Environment",
        "team": "Team", "Value": "Since", "tab": "tab", "panel": "panel",
    }  # fmt: skip
    widths = {"Alert": 200, "Environment": 100, "Team": 80, "Since": 134}
    return Table(
        name="firing_alerts",
        title="Firing alerts",
        description="Every alert that fires now, the worst first. Click its name for its panel, with the threshold, and for "
        "its runbook: what to look at first, and what to do.",
        targets=(
            PromQuery(expr=known.with_copies(known.ranked(known.about(subject, settings))), format="table", instant=True),
        ),
        no_value="nothing fires",
        limits=PLAIN,
        transformations=columns(headings),
        sorted_by="Severity",
        greatest_first=False,
        overrides=(
            *(named(column, custom_width=width) for column, width in widths.items()),
            NARROW,
            named("Severity", custom_width=90, custom_cellOptions=COLOURED_TEXT, mappings=known.severity_words()),
            named("Since", unit="dateTimeFromNow"),
            named("What", custom_wrapText=True),
            named("About", custom_width=160, custom_wrapText=True, mappings=known.ABOUT),
            *known.overrides(settings),
        ),
        paged=True,
        two_lines=True,
    )


def timeline() -> Panel:
    fired = (f"{level} * {_within_a_step(of_severity('firing', word.text))}" for level, word in _LEVELS.items())
    return StateTimeline(
        name="timeline",
        title="What fired when",
        description="Each alert of the range, as bad as it was. What began first is often the cause of what came after; one "
        "that comes and goes wants a longer hold or another limit.",
        targets=(PromQuery(expr=f"max by (alertname) ({' or '.join(fired)})", legend="{{alertname}}", step="1m"),),
        mappings=tuple(words(_LEVELS)),
        no_value="nothing fired in range",
    )


def _within_a_step(firing: str) -> str:
    """PromQL of alerts that fired between two points; as it last was, where points are closer than evaluations."""
    return f"(max_over_time({firing}[$__interval]) or {firing})"


def load() -> Panel:
    by_severity = f"count by (severity) ({FIRING})"
    return TimeSeries(
        name="load",
        title="How much fires",
        description="Alerts that fire at each moment, by severity. A base line that never goes away is noise that people learn "
        "to overlook: silence it with a reason, or mend its alert.",
        targets=(PromQuery(expr=by_severity, legend="{{severity}}"),),
        unit="short",
        decimals=0,
        stacked=True,
        fill=40,
        no_value="nothing fired in range",
        overrides=painted({word.text: f"{word.colour}" for word in _LEVELS.values()}),
        calculations=("lastNotNull", "max"),
    )
