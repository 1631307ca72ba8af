"""Health lights: one state per component and the worst of them; and the alerts that fire.

A state is 0 OK, 1 unknown, 2 degraded, 3 down. Unknown is worse than OK: silence is never taken for health.
"""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY, AGENT_QUERIES
from contract.signals.http import HTTP_SERVER_ERROR_RATIO
from contract.signals.model import Level, equal
from contract.values import duration_seconds
from dashboards.alerts import known
from dashboards.lib import colours
from dashboards.lib.field import PLAIN, Thresholds, Word, named, words
from dashboards.lib.figures import Stat
from dashboards.lib.filters import acting
from dashboards.lib.firing import FIRING, FIRING_BAD, FIRING_CRITICAL, since
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union, worst
from dashboards.lib.queries import PromQuery, ask
from dashboards.lib.states import StateTimeline
from dashboards.lib.tables import COLOURED_TEXT, Table, columns
from dashboards.lib.trust import DATA_TIME
from recording_rules import registry

OK, UNKNOWN, DEGRADED, DOWN = 0, 1, 2, 3
STATES = {
    OK: Word("OK", colours.OK),
    UNKNOWN: Word("Unknown", colours.UNKNOWN),
    DEGRADED: Word("Degraded", colours.DEGRADED),
    DOWN: Word("Down", colours.DOWN),
}
ALERT_STATES = {
    OK: Word("None firing", colours.OK),
    DEGRADED: Word("Warning", colours.DEGRADED),
    DOWN: Word("Critical", colours.DOWN),
}
COLOURS = Thresholds(colours.OK, ((UNKNOWN, colours.UNKNOWN), (DEGRADED, colours.DEGRADED), (DOWN, colours.DOWN)))
QUICK, LONGER = "5m", "1h"
"""Windows of the agents' state: the longer one where the quick one has too few queries to tell."""

PLATFORM_UP = Level("platform_up", "Platform", "1 when the platform was scraped", "none", "up", (equal("job", "platform"),))
EXPORTER_UP = Level("exporter_up", "Exporter", "1 when the exporter was scraped", "none", "up", (equal("job", "exporter"),))
SOURCE_UP = Level("source_up", "Source", "1 when a source answers", "none", "exporter_source_up", operator="max")


def reached(up: str) -> str:
    """Down when no target answers, degraded when some do not."""
    return f"2 * (1 - min({up})) + (1 - max({up}))"


def graded(share: str, degraded: float, down: float) -> str:
    """A share against two limits."""
    return f"2 * (({share}) > bool {degraded:g}) + (({share}) > bool {down:g})"


def source_state(source: str, max_age: float) -> str:
    """Down when a source does not answer, degraded when its figures are too old."""
    where = (equal("source", source),)
    age = f"time() - {registry.query(DATA_TIME, (), '', where)}"
    return worst(f"3 * (1 - {registry.query(SOURCE_UP, (), '', where)})", f"2 * (({age}) > bool {max_age:g})")


def agents_state(settings: Settings) -> str:
    """Errors and slowness of all agents of an environment together, once there are enough queries to tell."""
    with acting(("environment",)):
        return f"({_agents_state(settings, QUICK)} or {_agents_state(settings, LONGER)})"


def _agents_state(settings: Settings, window: str) -> str:
    limits, by = settings.thresholds, ("environment",)
    enough = f"({ask(AGENT_QUERIES, by, window)}) * {duration_seconds(window):g} >= {limits.minimum_queries}"
    errors = f"({graded(ask(AGENT_ERROR_RATIO, by, window), limits.error_ratio, limits.error_ratio_critical)}) and ({enough})"
    slow = f"(2 * (({ask(AGENT_LATENCY, by, window)}) > bool {limits.response_seconds:g})) and ({enough})"
    return worst(f"max({errors})", f"max({slow})")


def alerts_state() -> str:
    """Degraded with any firing warning, down with a critical one."""
    return worst(
        *(
            f"{state} * (count({series}) > bool 0 or vector(0))"
            for state, series in ((DEGRADED, FIRING_BAD), (DOWN, FIRING_CRITICAL))
        )
    )


def components(settings: Settings) -> dict[str, str]:
    """Each component and its state."""
    limits, max_age = settings.thresholds, duration_seconds(settings.exporter.max_age)
    failing = ask(HTTP_SERVER_ERROR_RATIO, ("environment",), "5m")
    platform = (
        reached(_selector(PLATFORM_UP, 'environment=~"$environment"')),
        f"max({graded(failing, limits.http_error_ratio, limits.http_error_ratio_page)})",
    )
    states = {
        "Platform API": worst(*platform),
        "Agents": agents_state(settings),
        "PostgreSQL": worst(source_state("postgres", max_age), source_state("rollups", max_age)),
        "Langfuse": source_state("langfuse", max_age),
        "Exporter": reached(_selector(EXPORTER_UP)),
        "Alerts": alerts_state(),
    }
    return {name: f"({state} or vector({UNKNOWN}))" for name, state in states.items()}


def _selector(signal: Level, *more: str) -> str:
    matchers = ",".join((*more, *(str(match) for match in signal.matches)))
    return f"{signal.metric_name}{{{matchers}}}"


def lights(settings: Settings) -> Panel:
    states = components(settings)
    whole = {name: f"clamp_max({state}, {DEGRADED})" if name == "Alerts" else state for name, state in states.items()}
    overall = f"max({union('component', whole)})"
    return Stat(
        name="health",
        title="Health",
        description=(
            "State of each component, and the worst of them first, where an alert alone is never more than degraded. "
            "Platform API: a target does not answer, or too many 5xx answers. Agents: error ratio or p95 of all agents "
            f"beyond the alerts' limits, over {QUICK}, or over {LONGER} where that is too few queries to tell. PostgreSQL "
            f"and Langfuse: the exporter cannot read them, or their figures are older than {settings.exporter.max_age}. "
            "Unknown: too little traffic to tell, or no data. Begin with the component that is down; the firing alerts name "
            "the next steps."
        ),
        targets=(PromQuery(expr=union("component", {"Overall": overall, **states}), legend="{{component}}", instant=True),),
        unit="short",
        mappings=tuple(words(STATES)),
        limits=COLOURS,
        filled=True,
        shown="value_and_name",
        direction="vertical",
        value_size=24,
        overrides=(named("Alerts", mappings=words(ALERT_STATES)),),
    )


def history(settings: Settings) -> Panel:
    return StateTimeline(
        name="health_history",
        title="Health over time",
        description="The same states over the chosen range: when did it begin, and what went first?",
        targets=(PromQuery(expr=union("component", components(settings)), legend="{{component}}", step="1m"),),
        mappings=tuple(words(STATES)),
        limits=COLOURS,
        overrides=(named("Alerts", mappings=words(ALERT_STATES)),),
    )


def firing(settings: Settings) -> Panel:
    headings = {
        "alertname": "Alert", "severity": "Severity", "team": "Team", "environment": "Environment", "agent": "Agent",
        "scope": "Budget", "Value": "Since", "tab": "tab", "panel": "panel",
    }  # fmt: skip
    return Table(
        name="firing_alerts",
        title="Firing alerts",
        description="Alerts that fire now, critical ones first, then the oldest. A click on one leads to its panel, with the "
        "limit, and to its runbook: what to look at first, and what to do.",
        targets=(
            PromQuery(expr=f"sort({known.with_copies(known.ranked(since(FIRING)))})", format="table", instant=True),
        ),
        no_value="no alert fires",
        limits=PLAIN,
        transformations=columns(headings),
        sorted_by="Severity",
        greatest_first=False,
        overrides=(
            *(named(name, custom_width=width) for name, width in {"Alert": 215, "Severity": 100, "Team": 105}.items()),
            named("Since", unit="dateTimeFromNow", custom_minWidth=125),
            named("Severity", custom_cellOptions=COLOURED_TEXT, mappings=known.severity_words()),
            *known.overrides(settings),
        ),
        paged=True,
    )
