"""How many users are active, and how often they come."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from dashboards.lib import colours
from dashboards.lib.field import painted
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery
from dashboards.users.headline import DAY, MONTH, NOT_COUNTED, WEEK, of, sticking

TITLES = {"a day (DAU)": DAY, "a week (WAU)": WEEK, "a month (MAU)": MONTH}
GAP = 6 * 3600 * 1000
"""Milliseconds that may lie between two points: they are hours apart."""


def active() -> Panel:
    parts = {title: of(window) for title, window in TITLES.items()}
    return TimeSeries(
        name="active_users",
        title="Active users of a day, a week, a month",
        description=(
            f"{DEFINITIONS['active_users'].formula}: of the 24 hours, 7 days and 30 days before each moment, as the exporter "
            "counts them. The day falls at weekends; the week and the month should not. Only the day falls: people come less "
            "often. All three fall: they stay away."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}", step="1h"),),
        width=15,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NOT_COUNTED,
        bridged=GAP,
        calculations=("lastNotNull", "min", "max"),
        overrides=painted(dict(zip(TITLES, (colours.LOW, colours.MIDDLE, colours.HIGH), strict=True))),
    )


def stickiness() -> Panel:
    return TimeSeries(
        name="stickiness",
        title="Stickiness: DAU / MAU",
        description=(
            f"{DEFINITIONS['stickiness'].formula}. 20 % means that a user comes on six days of a month. It moves slowly; a "
            "bend is a change of habit: see which features are used less since."
        ),
        targets=(PromQuery(expr=sticking(), legend="Stickiness", step="6h"),),
        unit="percentunit",
        minimum=0,
        soft_maximum=0.5,
        no_value=NOT_COUNTED,
        bridged=2 * GAP,
        calculations=("lastNotNull", "min", "max"),
        overrides=painted({"Stickiness": colours.NEUTRAL}),
    )
