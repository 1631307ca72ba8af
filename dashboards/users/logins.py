"""Who gets in: logins, their success, and sessions that are open."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.conversations import SESSIONS_ACTIVE
from contract.signals.users import LOGGED_IN, LOGIN_SUCCESS_RATIO, LOGINS
from dashboards.lib import colours
from dashboards.lib.field import lines, painted
from dashboards.lib.figures import Stat
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, SqlQuery, ask, in_range, series

HOUR = "1h"
NOBODY = "nobody logged in"
RESULTS = {"success": colours.OK, "failure": colours.DOWN}


def by_hour() -> Panel:
    return TimeSeries(
        name="logins_per_hour",
        title="Logins per hour",
        description=(
            "Attempts to log in within the hour before each moment, as the platform counts them. Failures on top of as many "
            "successes as ever are an attack; failures in place of successes are a broken login."
        ),
        targets=(PromQuery(expr=f"({ask(LOGINS, ('result',), HOUR)}) * 3600", legend="{{result}}", step="15m"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NOBODY,
        stacked=True,
        calculations=("lastNotNull", "max"),
        overrides=painted(RESULTS),
    )


def success(settings: Settings) -> Panel:
    limit = 1 - settings.thresholds.login_failure_ratio
    return TimeSeries(
        name="login_success",
        title=f"Login success (alert below {limit:.0%})",
        description=(
            f"{DEFINITIONS['login_success'].formula}, over one hour by environment; the line is the alert's, which looks at 15 "
            "minutes. Below: try to log in yourself, and see whether the login route answers with errors."
        ),
        targets=(series(LOGIN_SUCCESS_RATIO, ("environment",), window=HOUR, step="15m"),),
        unit="percentunit",
        maximum=1,
        soft_minimum=limit - 0.1,
        no_value=NOBODY,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        calculations=("lastNotNull", "min"),
    )


def sessions() -> Panel:
    parts = {"logged in": ask(LOGGED_IN), "at work": ask(SESSIONS_ACTIVE)}
    return Stat(
        name="sessions",
        title="Open sessions",
        description=(
            "Sessions that are logged in, as the platform says, and those within which somebody is at work, as the database "
            "says. Many logged in with none at work in office hours: people wait for something."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}", instant=True),),
        width=5,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no session known",
        direction="horizontal",
        shown="value_and_name",
        value_size=28,
    )


BY_DAY = f"""
SELECT d.day AS "time", d.logins::float8 AS success, d.logins_failed::float8 AS failure
FROM analytics.user_activity_metrics d
WHERE {in_range("d.day")}
ORDER BY d.day
LIMIT 1200
""".strip()


def by_day() -> Panel:
    return TimeSeries(
        name="logins_per_day",
        title="Logins per day",
        description=(
            "Attempts to log in by day (UTC), from the table of logins; the newest day is not full yet. The table knows all "
            "days, where the platform's own counters begin with the scraping."
        ),
        targets=(SqlQuery(sql=BY_DAY, format="time_series"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no login in range",
        style="bars",
        stacked=True,
        calculations=("mean", "sum"),
        overrides=painted(RESULTS),
    )
