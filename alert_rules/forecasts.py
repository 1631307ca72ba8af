"""Alerts on what will be used up soon: capacity of agents, room for the tables, budgets of the month."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.model import Alert, AlertGroup, Flow, Kind, MetricCheck, Phase, Scenario, Severity
from alert_rules.stories import MINUTE, Story, standard
from contract.settings import Settings
from contract.signals.agents import AGENT_CAPACITY, AGENT_QUERIES, CAPACITY_USED
from contract.signals.cost import BUDGET_FORECAST_RATIO, BUDGET_SPENT
from contract.signals.models import MODEL_COST
from contract.signals.stores import TABLE_SIZE
from recording_rules.forecast import BUDGET_LEFT, CAPACITY_LEFT, GIGABYTE, LEAST_POINTS, STORAGE_LEFT

GROUP = AlertGroup("forecast_alerts", "2m")
AGENT, SCOPE = ("environment", "agent"), ("scope",)
_HOUR = 60 * MINUTE


def _budget(alert: Alert, settings: Settings) -> Story:
    """Half of the time that is too little, and half a second, so that nothing is rounded."""
    left, labels = alert.limit(settings) / 2 + 0.5, (("scope", "all"),)
    soon, late = (Flow("platform_budget_exhaustion_timestamp_seconds", labels, moment) for moment in (left, 1e9))
    return Story(labels, (soon,), (late,), lambda _, last: max(left - last, 0.0), still=(late,))


def _storage(alert: Alert, settings: Settings) -> Story:
    """Nine tenths are used, and the rest is gone in half of the time that is too little."""
    room = settings.thresholds.storage_gigabytes * GIGABYTE
    begins = (LEAST_POINTS - 1) * _HOUR
    left = alert.limit(settings) / 2 + begins + 0.5
    table = (("table", "public.messages"),)
    grows = Flow("platform_table_size_bytes", table, 0.9 * room, slope=0.1 * room / left * MINUTE)
    stands = Flow("platform_table_size_bytes", table, 1e6)
    return Story((), (grows,), (stands,), lambda _, last: max(left - last, 0.0), begins=begins, still=(stands,), step=MINUTE)


def _capacity(alert: Alert, settings: Settings) -> tuple[Scenario, ...]:
    """Every six hours an agent is asked a little more. The peaks that count are those at full six hours, in between which the
    rate changes."""
    about = (("agent", "billing"), ("environment", settings.environments[0]))
    query = (*about, ("status", "success"), ("version", "1.4.0"))
    start, more = 60.0, 60.0
    peak = (start + LEAST_POINTS * more) / MINUTE
    left = alert.limit(settings) / 2 + 0.5
    limit = peak + left * more / MINUTE / (6 * _HOUR)

    def asked(per_minute: float, limit: float) -> tuple[Flow, ...]:
        return (Flow("agent_queries_total", query, per_minute), Flow("agent_capacity_requests_per_second", about, limit))

    begins = LEAST_POINTS * 6 * _HOUR
    fires = begins + alert.hold_seconds
    ends = fires + 10 * MINUTE
    lost, over = ends + 8 * MINUTE, ends + alert.keep_seconds + 5 * MINUTE
    seconds = [3 * _HOUR, *([6 * _HOUR] * (LEAST_POINTS - 1)), ends - begins + 3 * _HOUR]
    grows = tuple(Phase(long, asked(start + step * more, limit)) for step, long in enumerate(seconds))
    stands = (Phase(ends, asked(start, limit)),)
    long = (begins, fires, ends)

    def scenario(kind: Kind, story: str, quiet: tuple[float, ...], *phases: Phase, at: tuple[float, ...] = ()) -> Scenario:
        return Scenario(kind, story, about, phases, quiet, tuple((moment, left) for moment in at), step=4 * MINUTE)

    away = "the source goes while the alert fires; it stays until it is said that the source is gone, then ends"
    raised = Phase(over - ends, asked(start + LEAST_POINTS * more, 100 * limit))
    return (
        scenario(Kind.FIRES, "the peak grows, and will soon be too much", (fires - 4 * MINUTE,), *grows, at=(fires, ends)),
        scenario(Kind.QUIET, "nothing grows", long, *stands),
        scenario(Kind.RECOVERS, "the limit is raised", (over,), *grows, raised, at=(ends,)),
        scenario(Kind.NO_TRAFFIC, "nobody asks", long, Phase(ends, asked(0.0, limit))),
        scenario(Kind.NO_DATA, "the source was never there", (_HOUR,), Phase(_HOUR, None)),
        replace(
            scenario(Kind.SOURCE_LOST, away, (over,), *grows, Phase(over - ends, None), at=(ends, lost)),
            source_gone=(lost,),
        ),
    )


CAPACITY = Alert(
    name="CapacityExhaustsSoon",
    group=GROUP,
    concern="capacity-forecast",
    signal=CAPACITY_LEFT,
    by=AGENT,
    window="1d",
    comparison="<",
    threshold="capacity_left_seconds",
    hold="1h",
    keep_firing_for="30m",
    severity=Severity.WARNING,
    team="agents",
    summary="An agent will soon be asked more than it can bear.",
    description="At the pace of the last week, the daily peak of agent {agent} in {environment} reaches its limit in {value}; "
    "{threshold} is the time that people need to add capacity.",
    meaning="The daily peaks of the last week lie on a line that reaches the configured limit of queries per second within "
    "days.",
    impact="Nothing yet. Beyond the limit, queries wait or are refused, first at the busiest hour of the day.",
    checks=(
        MetricCheck("Which agents, and how long does each last?", CAPACITY_LEFT, AGENT),
        MetricCheck("How much of the limit is used now?", CAPACITY_USED, ("environment", "agent")),
        MetricCheck("How did it grow? Draw this over two weeks.", AGENT_QUERIES, AGENT),
        MetricCheck("Which limit is configured?", AGENT_CAPACITY, AGENT),
    ),
    next_steps=(
        "Growth that is meant: order the capacity now, and raise the agent's limit when it is there.",
        "One jump within the week, by a campaign or a new client: the line flattens within a week; wait when there is room "
        "for it.",
        "The same users ask more: look for clients that repeat failed queries, and mend those first.",
    ),
    scenarios=_capacity,
)
STORAGE = Alert(
    name="StorageExhaustsSoon",
    group=GROUP,
    concern="storage-forecast",
    signal=STORAGE_LEFT,
    by=(),
    window="8h",
    comparison="<",
    threshold="storage_left_seconds",
    hold="30m",
    keep_firing_for="30m",
    severity=Severity.WARNING,
    team="platform",
    summary="The database will soon be as large as it may be.",
    description="At the pace of the last three days, the tables reach the size that they may have in {value}; {threshold} is "
    "the time "
    "that people need to make room. It has looked so for {hold}.",
    meaning="The sizes of all tables with their indexes lie on a line that reaches `thresholds.storage_gigabytes` within days.",
    impact="Nothing yet. On a full disk PostgreSQL stops, and with it every agent that writes what it did.",
    checks=(
        MetricCheck("Which tables are large? Draw it over three days.", TABLE_SIZE, ("table",)),
        MetricCheck("How long does the room last?", STORAGE_LEFT, ()),
        MetricCheck("How fast does all grow together?", TABLE_SIZE, ()),
    ),
    next_steps=(
        "One table grows alone: find what writes it; old rows can go where nobody reads them, see `database.retention` for "
        "ours.",
        "A table grows though its rows stay about as many: it is bloated; look for a transaction that has been open for days.",
        "A migration or an import that is over: the line flattens within three days; wait when there is room for it.",
        "It is the usual growth: order a larger disk, then raise `thresholds.storage_gigabytes`.",
    ),
    scenarios=standard(_storage),
)
BUDGET = Alert(
    name="BudgetExhaustsSoon",
    group=GROUP,
    concern="cost",
    signal=BUDGET_LEFT,
    by=SCOPE,
    window="5m",
    comparison="<",
    threshold="budget_left_seconds",
    hold="30m",
    keep_firing_for="1h",
    severity=Severity.WARNING,
    team="finance",
    summary="A month's budget for model calls is gone within days.",
    description="As the days of the week usually cost, this month's budget {scope} is used up in {value}; {threshold} is the "
    "time that "
    "people need to decide. It has looked so for {hold}.",
    meaning="What the coming days usually cost by weekday is more than what is left of the budget of this calendar month "
    "(UTC).",
    impact="Nothing yet. From then on until the month ends, every call of a model is over budget.",
    checks=(
        MetricCheck("Which budgets, and how long do they last?", BUDGET_LEFT, SCOPE),
        MetricCheck("How much is spent?", BUDGET_SPENT, SCOPE),
        MetricCheck("What will the month have cost?", BUDGET_FORECAST_RATIO, SCOPE),
        MetricCheck("Which models cost the most today?", MODEL_COST, ("environment", "model"), "24h"),
    ),
    next_steps=(
        "Decide now who may go on: a larger budget, or cheaper models for what can do with them, agent by agent.",
        "The cost of the last days was a mistake that is mended: it stays in the weekday's median only when it lasted weeks; "
        "wait a day.",
    ),
    scenarios=standard(_budget),
    needed=lambda settings: bool(settings.budgets),
)

ALERTS = (CAPACITY, STORAGE, BUDGET)
