"""The figures that a person asks for first: how many, how often, for how long."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from contract.signals.model import Matches, equal
from contract.signals.users import ACTIVE_USERS, ACTIVE_USERS_BEFORE, LOGIN_SUCCESS_RATIO, NEW_USERS, USERS
from dashboards.lib import colours
from dashboards.lib.field import Thresholds, Word, at_least, named, words
from dashboards.lib.figures import RISE_IS_GOOD, Stat
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, SqlQuery, ask, series

DAY, WEEK, MONTH = ((equal("window", name),) for name in ("24h", "7d", "30d"))
WINDOWS = {"24 h": DAY, "7 d": WEEK, "30 d": MONTH}
NOT_COUNTED = "not counted yet"
GROWTH = "growth in 30 d"
STEADY = 0.02
"""A change smaller than this share is called steady."""

SHRINKING, STANDING, GROWING = -1, 0, 1
DIRECTIONS = {
    SHRINKING: Word("Shrinking", colours.DEGRADED),
    STANDING: Word("Steady", colours.NEUTRAL),
    GROWING: Word("Growing", colours.OK),
}
DIRECTION_COLOURS = Thresholds(colours.DEGRADED, ((STANDING, colours.NEUTRAL), (GROWING, colours.OK)))


def of(window: Matches) -> str:
    """Active users of a window."""
    return ask(ACTIVE_USERS, (), "", window)


def change(window: Matches) -> str:
    """Active users of a window / those of the window before; 1 is no change."""
    return f"{of(window)} / ({ask(ACTIVE_USERS_BEFORE, (), '', window)} > 0)"


def sticking() -> str:
    """Mean daily active users of 30 days / active users of 30 days. Six hours apart, days overlap: weekdays count alike."""
    return f"avg_over_time(({of(DAY)})[30d:6h]) / ({of(MONTH)} > 0)"


def direction() -> Panel:
    ratio = change(WEEK)
    return Stat(
        name="direction",
        title="Is use growing?",
        description=(
            "Active users of the last seven days against the seven days before. Steady: the change is below "
            f"{STEADY:.0%}. Shrinking in a holiday is normal; otherwise see 'Who stays' for who went quiet, and 'Who comes' "
            "for when it began."
        ),
        targets=(
            PromQuery(
                expr=f"(({ratio}) >= bool {1 + STEADY:g}) - (({ratio}) <= bool {1 - STEADY:g})", legend="Use", instant=True
            ),
        ),
        unit="none",
        no_value=NOT_COUNTED,
        mappings=tuple(words(DIRECTIONS)),
        limits=DIRECTION_COLOURS,
        filled=True,
        value_size=26,
    )


def users() -> Panel:
    total, new = ask(USERS), ask(NEW_USERS)
    growth = f"{new} / ({total} - {new} > 0)"
    return Stat(
        name="users",
        title="Users",
        description=(
            f"All users, and their growth in 30 days: {DEFINITIONS['growth'].formula}. All roles count. No growth with a "
            "steady number of visitors means that people do not find the way in: see 'Login success'."
        ),
        targets=(PromQuery(expr=union("figure", {"total": total, GROWTH: growth}), legend="{{figure}}", instant=True),),
        unit="locale",
        decimals=0,
        no_value=NOT_COUNTED,
        shown="value_and_name",
        value_size=24,
        overrides=(named(GROWTH, unit="percentunit", decimals=1),),
    )


def active() -> Panel:
    now = {title: of(window) for title, window in WINDOWS.items()}
    changes = {f"{title} change": f"{change(window)} - 1" for title, window in WINDOWS.items() if window != DAY}
    return Stat(
        name="active",
        title="Active users",
        description=(
            f"{DEFINITIONS['active_users'].formula}: the last 24 hours, 7 days and 30 days, and how the longer ones changed "
            "against the time before. A falling week with a steady month is often a holiday; both falling is people leaving."
        ),
        targets=(PromQuery(expr=union("figure", {**now, **changes}), legend="{{figure}}", instant=True),),
        width=12,
        unit="locale",
        decimals=0,
        no_value=NOT_COUNTED,
        shown="value_and_name",
        value_size=22,
        title_size=12,
        overrides=tuple(named(title, unit="percentunit", decimals=1) for title in changes),
    )


def stickiness() -> Panel:
    return Stat(
        name="stickiness_now",
        title="Stickiness",
        description=(
            f"{DEFINITIONS['stickiness'].formula}, as far back as Prometheus knows: on how many days of a month does a user "
            "come? 5 % is a day or two, 100 % every day. The small figure is the change over the chosen range. Falling: "
            "people still come, but less often; see what they use."
        ),
        targets=(PromQuery(expr=sticking(), legend="Stickiness", step="6h"),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value=NOT_COUNTED,
        sparkline=True,
        change=RISE_IS_GOOD,
        value_size=30,
    )


FOURTH_WEEK = """
SELECT r.cohort::timestamp AT TIME ZONE 'UTC' AS "time", r.retention AS "Retention"
FROM analytics.retention_weekly r
WHERE r.weeks = 4 AND r.retention IS NOT NULL
  AND r.cohort >= ($__timeTo()::timestamptz AT TIME ZONE 'UTC')::date - 120 AND r.cohort < $__timeTo()::timestamptz
ORDER BY 1
LIMIT 20
""".strip()


def fourth_week() -> Panel:
    return Stat(
        name="fourth_week",
        title="Still here in week 4",
        description=(
            f"{DEFINITIONS['retention'].formula}: of the newest cohort whose fourth week is over, the line shows the cohorts "
            "of four months. Falling from cohort to cohort: the first weeks of use got worse; compare with releases of that "
            "time."
        ),
        targets=(SqlQuery(sql=FOURTH_WEEK, format="time_series"),),
        unit="percentunit",
        decimals=0,
        minimum=0,
        maximum=1,
        no_value="no cohort is four weeks old",
        sparkline=True,
        change=RISE_IS_GOOD,
        value_size=30,
        always_last="120d",
    )


def login_success(settings: Settings) -> Panel:
    limit = 1 - settings.thresholds.login_failure_ratio
    return Stat(
        name="login_success_now",
        title="Login success",
        description=(
            f"{DEFINITIONS['login_success'].formula}, over one hour; the alert begins below {limit:.0%}. Below: many failures "
            "of few users are an old password in a client, hardly any success is the identity provider."
        ),
        targets=(series(LOGIN_SUCCESS_RATIO, window="1h", step="5m"),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value="nobody logged in",
        limits=at_least(limit),
        sparkline=True,
        up_to_now=True,
        value_size=30,
    )
