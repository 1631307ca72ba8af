"""Who looks, where the query API counts it."""

from __future__ import annotations

from contract.signals.model import Level, Match, Quotient
from contract.viewers import ACCOUNTS, TAB_VIEWERS, VIEWERS
from dashboards.lib.field import of_query
from dashboards.lib.figures import BarGauge, Stat
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.layout import Row, line, row
from dashboards.lib.panel import Panel
from dashboards.lib.queries import series

_VIEWERS = Level("viewers", "Viewers", VIEWERS.help, "short", VIEWERS.name, operator="max")
_DAILY = Level("daily_viewers", "Within a day", VIEWERS.help, "short", VIEWERS.name, (Match("window", "=", "1d"),), "max")
_ACCOUNTS = Level("viewer_accounts", "Accounts", ACCOUNTS.help, "short", ACCOUNTS.name, operator="max")
_SHARE = Quotient("viewer_share", "Share", "accounts that were there within a day / accounts", "percentunit", _DAILY, _ACCOUNTS)
_BY_TAB = Level(
    "tab_viewers", "Within a day", TAB_VIEWERS.help, "short", TAB_VIEWERS.name, (Match("window", "=", "1d"),), "max"
)
_HOW = (
    "Grafana says when each account was last there, not what it opened. Few, and fewer each week: ask people what they miss "
    "before more is built."
)


def rows() -> tuple[Row, ...]:
    return (row("viewers", "Does anybody look?", line(7, now(), course()), line(8, tabs()), collapsed=True),)


def now() -> Panel:
    return Stat(
        name="viewers_now",
        title="Viewers within a day",
        description=f"Share of Grafana's accounts that were there in the last 24 hours, how many, and of how many. {_HOW}",
        targets=(series(_SHARE, instant=True), series(_DAILY, instant=True), series(_ACCOUNTS, instant=True)),
        unit="short",
        overrides=(of_query("A", unit=_SHARE.unit, decimals=0),),
        width=8,
        no_value="Grafana did not say it yet",
    )


def course() -> Panel:
    return TimeSeries(
        name="viewers",
        title="Viewers within a day, and within a week",
        description=f"Accounts of Grafana that were there in the window before each moment. {_HOW}",
        targets=(series(_VIEWERS, ("window",)),),
        unit="short",
        no_value="Grafana did not say it yet",
        calculations=("lastNotNull", "max"),
    )


def tabs() -> Panel:
    return BarGauge(
        name="viewers_by_tab",
        title="Which tabs do people look at?",
        description=(
            "Accounts of Grafana that looked at each tab in the last 24 hours, as Grafana's log says (`api.viewers_log`). "
            "A tab that nobody opens may be gone, or nobody may know of it: ask."
        ),
        targets=(series(_BY_TAB, ("tab",), instant=True),),
        unit="short",
        no_value="Grafana's log is not read",
    )
