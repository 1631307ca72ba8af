"""The answer first: what alerts say in words, the three figures with a target, and what goes on at this moment."""

from __future__ import annotations

from alert_rules import agents, behaviour, conversations, models, tools
from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.agents import AGENT_CONVERSATIONS_ACTIVE, AGENT_SESSIONS, QUERIES_IN_PROGRESS
from contract.signals.model import Signal
from dashboards.lib.field import PLAIN, Thresholds, at_least, at_most, named, tab_link
from dashboards.lib.figures import Stat
from dashboards.lib.filters import chosen_all
from dashboards.lib.judged import lights
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery, series
from dashboards.lib.spending import DAYS, DAYS_BEFORE

NO_TRAFFIC = "no traffic in range"
CHANGE = "change"
"""The small figure beside a figure of the range: against the days that a reader chooses."""
LATELY = "3h"
"""How far the lines of live counters go back, whatever range is chosen."""


def where(days: str = DAYS) -> str:
    """An SQL condition on `analytics.agent_daily`: the days, and the agents that the filters let through."""
    return f"{days} AND {chosen_all(environment='environment', agent='agent')}"


def state(settings: Settings) -> Panel:
    judged = {
        "Goals": (conversations.SUCCESS_RATE, "missed"),
        "Errors": (agents.ERROR_RATIO, "many"),
        "Response time": (agents.RESPONSE_TIME, "slow"),
        "Retries": (behaviour.RETRIES, "many"),
        "Tools": (tools.TOOL_ERRORS, "failing"),
        "Models": (models.ERRORS, "failing"),
        "Guardrails": (behaviour.BLOCKS, "blocking"),
    }
    return lights(
        "state",
        "Do agents serve their users now?",
        "The worst of the chosen agents, and of all tools, models and guardrails. 'Needs attention' below names who it is.",
        judged,
        settings,
    )


_GOALS = ("goals_achieved", "goals_achieved + goals_missed")
_SECONDS = ("execution_seconds", "executions")
_COST = ("conversation_cost_usd", "conversations")
"""The three figures, part and whole, of rows of `analytics.agent_daily`."""


def _ratio(figure: tuple[str, str]) -> str:
    """As SQL; of nothing it is not zero, for there was no traffic."""
    return f"sum({figure[0]})::float8 / nullif(sum({figure[1]}), 0)"


SUCCESS, RESPONSE, COST = _ratio(_GOALS), _ratio(_SECONDS), _ratio(_COST)


def _card(
    name: str, title: str, description: str, figure: tuple[str, str], of: str, unit: str, decimals: int, limits: Thresholds
) -> Panel:
    """Part / whole of the range's days, and its change. Days without any `of` are left out: the ledger is younger."""
    part, whole = figure

    def asked(days: str) -> str:
        return (
            f"SELECT sum(part) / nullif(sum(whole), 0) AS figure, count(*) AS days FROM (\n"
            f"  SELECT sum({part})::float8 AS part, sum({whole})::float8 AS whole FROM analytics.agent_daily\n"
            f"  WHERE {where(days)} GROUP BY day HAVING sum({of}) > 0) daily"
        )

    sql = f"""
SELECT now.figure AS "this range",
       CASE WHEN before.days >= now.days - 1 THEN now.figure / nullif(before.figure, 0) - 1 END AS "{CHANGE}"
FROM ({asked(DAYS)}) now,
     ({asked(DAYS_BEFORE)}) before
WHERE now.figure IS NOT NULL
""".strip()
    return Stat(
        name=name,
        title=title,
        description=f"{description} Of the days that the range touches; the small figure is the change, as chosen above.",
        targets=(SqlQuery(sql=sql),),
        unit=unit,
        decimals=decimals,
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=limits,
        shown="value_and_name",
        value_size=26,
        overrides=(
            named(CHANGE, unit="percentunit", decimals=1, min=None, noValue="not known", thresholds=PLAIN.to_json_data()),
        ),
    )


def success(settings: Settings) -> Panel:
    target = settings.thresholds.success_ratio
    about = DEFINITIONS["success_ratio"].formula
    description = (
        f"{about[0].upper()}{about[1:]}; the target, where the alert begins, is {target:.0%}. Below it: see which agent in "
        "'Which agent does best?', then its reasons of handoffs and its newest version."
    )
    title = f"Success rate (target {target:.0%})"
    return _card("success", title, description, _GOALS, "goals_achieved + goals_missed", "percentunit", 1, at_least(target))


def response(settings: Settings) -> Panel:
    target = settings.thresholds.target_response_seconds
    description = (
        f"Mean time from query to answer, {target:g} s is the target. A mean says nothing of the slowest: the percentiles "
        "stand in 'Time to answer'. Too slow: the tab Performance shows where the time goes."
    )
    title = f"Average response (target {target:g} s)"
    return _card("response", title, description, _SECONDS, "executions", "s", 2, at_most(target))


def cost(settings: Settings) -> Panel:
    target = settings.thresholds.target_conversation_usd
    about = DEFINITIONS["cost_per_conversation"].formula
    description = (
        f"{about[0].upper()}{about[1:]}, {target:.2f} USD is the target. Dearer without a release: conversations grow longer, "
        "or caches hit less; with one: a longer prompt or a dearer model. See the tab Cost & usage."
    )
    title = f"Cost of a conversation (target ${target:.2f})"
    return _card("cost", title, description, _COST, "calls", "currencyUSD", 4, at_most(target))


def _now(name: str, title: str, signal: Signal, description: str) -> Panel:
    return Stat(
        name=name,
        title=title,
        description=f"{description} The line shows the last three hours.",
        targets=(series(signal, step="1m"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="not seen",
        sparkline=True,
        value_size=28,
        always_last=LATELY,
        data_links=(tab_link("Executions, tools, workflows", "executions"),),
    )


def open_conversations() -> Panel:
    text = f"{AGENT_CONVERSATIONS_ACTIVE.description} now. They rise and no query runs: people wait, or have left."
    return _now("conversations_now", "Open conversations", AGENT_CONVERSATIONS_ACTIVE, text)


def open_sessions() -> Panel:
    text = f"{AGENT_SESSIONS.description} now, whichever agents are chosen. None in working hours: users cannot log in."
    return _now("sessions_now", "Open sessions", AGENT_SESSIONS, text)


def running() -> Panel:
    text = f"{QUERIES_IN_PROGRESS.description} now. They rise and the rate of queries does not: answers hang."
    return _now("running_now", "Running queries", QUERIES_IN_PROGRESS, text)
