"""Sessions of users: how many begin, how long they last, how much is asked in them."""

from __future__ import annotations

from dashboards.executions.detail import SESSION_LINK
from dashboards.lib.distributions import Histogram
from dashboards.lib.executions import MINUTE
from dashboards.lib.field import named
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.paging import ACTS, one_page
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery, in_range
from dashboards.lib.shares import BarChart
from dashboards.lib.tables import Table, columns, moment, shortened

NO_SESSIONS = "no session in range"
_ENVIRONMENT = "The environment acts; a session has many agents and versions."
_MOST_QUERIES = 10


def begun(*columns_: str, where: str = "true") -> str:
    """SELECT of `columns_` (of `s`, a session) of the sessions that began in the range."""
    return (
        f"SELECT {', '.join(columns_)}\n  FROM analytics.session_metrics s\n"
        f"  WHERE $__timeFilter(s.start_time) AND {where} AND {chosen_all(environment='s.environment')}"
    )


def per_hour() -> Panel:
    return TimeSeries(
        name="sessions_per_hour",
        title="Sessions per hour",
        description=f"Sessions by the hour in which they began. {_ENVIRONMENT}",
        targets=(
            SqlQuery(
                sql=f"""
SELECT h.hour AS "time", sum(h.started)::float8 AS "sessions"
FROM analytics.session_hourly h
WHERE {in_range("h.hour")} AND {chosen_all(environment="h.environment")}
GROUP BY 1
ORDER BY 1
""".strip(),
                format="time_series",
            ),
        ),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_SESSIONS,
        style="bars",
        calculations=("mean", "max", "sum"),
    )


def lengths() -> Panel:
    return Histogram(
        name="session_lengths",
        title="How long do sessions last?",
        description=f"Durations of the sessions of the range that have ended, a sample of at most 2,000. {_ENVIRONMENT}",
        targets=(
            SqlQuery(
                sql=f"""
{begun(f'(s.duration_ms / {MINUTE})::float8 AS "duration"', where="s.duration_ms IS NOT NULL")}
ORDER BY md5(s.session_id::text)
LIMIT 2000
""".strip()
            ),
        ),
        unit="m",
        no_value=NO_SESSIONS,
    )


def queries() -> Panel:
    return BarChart(
        name="session_queries",
        title="Queries in a session",
        description=(
            f"Sessions of the range that have ended by how many queries were asked in them; {_MOST_QUERIES} stands for that "
            "and more. Many with one query: answered at once, or given up; see what users say on the tab Feedback. "
            f"{_ENVIRONMENT}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {begun(f"least(s.total_queries, {_MOST_QUERIES}) AS queries", where="NOT s.is_active")}
)
SELECT CASE WHEN x.queries = {_MOST_QUERIES} THEN '{_MOST_QUERIES}+' ELSE x.queries::text END AS "Queries",
       count(*)::float8 AS "sessions"
FROM x
GROUP BY x.queries
ORDER BY x.queries
""".strip()
            ),
        ),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_SESSIONS,
        x="Queries",
        with_legend=False,
    )


def latest() -> Panel:
    headings = {
        "time": "Began", "user_key": "User", "seconds": "Lasted", "queries": "Queries", "failed": "Failed", "agents": "Agents",
        "response": "Mean response", "tokens": "Tokens", "session": "Session",
    }  # fmt: skip
    return Table(
        name="latest_sessions",
        title="Latest sessions",
        description=(
            f"The newest sessions of the range, with a pseudonym of the user. {ACTS} Still going on: no length yet. A click on "
            f"the session shows what was executed in it, below. {_ENVIRONMENT}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
{
                    begun(
                        's.start_time AS "time"',
                        "s.user_key",
                        "(s.duration_ms / 1000)::float8 AS seconds",
                        "s.total_queries::float8 AS queries",
                        "s.failed_queries::float8 AS failed",
                        "(SELECT string_agg(a.name, ', ') FROM jsonb_array_elements_text(s.agents_used) AS a (name)) AS agents",
                        "(s.average_response_time_ms / 1000)::float8 AS response",
                        "s.total_tokens_used::float8 AS tokens",
                        "s.session_id::text AS session",
                    )
                }
{one_page("s.start_time DESC", "s.session_id")}
""".strip()
            ),
        ),
        no_value=f"{NO_SESSIONS}, or no more of them",
        transformations=columns(headings),
        paged=True,
        overrides=(
            moment("Began"),
            named("User", custom_width=150),
            named("Lasted", unit="s", decimals=0, custom_width=95),
            *(named(name, unit="none", decimals=0, custom_width=80) for name in ("Queries", "Failed")),
            named("Mean response", unit="s", custom_width=130),
            named("Tokens", unit="locale", decimals=0, custom_width=90),
            shortened("Session", links=[SESSION_LINK]),
        ),
    )
