"""How much of everything in the range."""

from __future__ import annotations

from dashboards.lib.figures import Stat
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery

NO_CALLS = "no model call in range"


def _counted(name: str, title: str, description: str, view: str, time: str) -> Panel:
    asked = f'SELECT count(*)::float8 AS "{title}" FROM analytics.{view} t WHERE $__timeFilter(t.{time})'
    return _figure(name, title, description, asked, "locale", 0)


def _figure(name: str, title: str, description: str, asked: str, unit: str, decimals: int, no_value: str = "no data") -> Panel:
    return Stat(
        name=name,
        title=title,
        description=description,
        targets=(SqlQuery(sql=asked),),
        unit=unit,
        decimals=decimals,
        minimum=0,
        no_value=no_value,
        value_size=28,
    )


def conversations() -> Panel:
    return _counted(
        "conversations",
        "Conversations",
        "Conversations that you began in the range. One is missing: you were logged in as somebody else, or it is older.",
        "my_conversations",
        "created_at",
    )


def tickets() -> Panel:
    return _counted(
        "tickets",
        "Tickets",
        "Tickets that you opened in the range, open and solved ones. More than you remember: agents may open some.",
        "my_tickets",
        "created_at",
    )


def executions() -> Panel:
    return _counted(
        "executions",
        "Agent runs",
        "How often an agent worked for you in the range, whether it succeeded or not. The table below says which.",
        "my_agent_executions",
        "start_time",
    )


def tokens() -> Panel:
    return _figure(
        "tokens",
        "Tokens",
        "Tokens that models read and wrote for you in the range. Long conversations and documents need many; begin a new "
        "conversation for a new question.",
        'SELECT sum(t.total_tokens)::float8 AS "Tokens" FROM analytics.my_llm_calls t WHERE $__timeFilter(t.started_at)',
        "short",
        1,
        NO_CALLS,
    )


def cost() -> Panel:
    return _figure(
        "cost",
        "Cost",
        "Money for the model calls made for you in the range; calls without a price are not in it. High with few tokens: a "
        "dear model.",
        'SELECT sum(t.total_cost_usd)::float8 AS "Cost" FROM analytics.my_llm_calls t WHERE $__timeFilter(t.started_at)',
        "currencyUSD",
        2,
        NO_CALLS,
    )


def feedback() -> Panel:
    return _counted(
        "feedback",
        "Feedback given",
        "How often you said how an answer was. None: your word on a bad answer is what gets it mended.",
        "my_feedback",
        "created_at",
    )
