"""Figures by day with what is forecast of them, and how the methods of the forecasts did on the past.

The days of the past are asked by the text that the forecast was learnt from, so they are of everything: no filter acts.
"""

from __future__ import annotations

from contract.forecasts import CERTAINTY, HORIZON_DAYS, LEAST_DAYS, METHODS, NONE, SUBJECTS
from dashboards.lib import colours
from dashboards.lib.field import Override, Word, fixed, named, words
from dashboards.lib.graphs import Trend
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.spending import TO, whole_days
from dashboards.lib.tables import NARROW, Table, columns

BACK_DAYS = 56
_TODAY = f"date_trunc('day', {TO}, 'UTC')"
_DASHED = {"fill": "dash", "dash": [8, 6]}
TRIED = (
    "Methods are tried on the past, and the one that erred least is used: where nothing beats the same weekday of last week, "
    f"that is it. Low and high are to hold {CERTAINTY:.0%} of days."
)
TOO_FEW = f"fewer than {LEAST_DAYS} whole days are known"

BAND: tuple[Override, ...] = (
    named("low", color=fixed(colours.SKY), custom_lineWidth=1, custom_lineStyle={"fill": "dash", "dash": [4, 4]}),
    named(
        "high", color=fixed(colours.SKY), custom_lineWidth=1, custom_lineStyle={"fill": "dash", "dash": [4, 4]},
        custom_fillBelowTo="low", custom_fillOpacity=15,
    ),
)  # fmt: skip


def ahead(key: str, name: str, title: str, description: str, width: int | None = None) -> Panel:
    """A subject's last weeks and the days to come."""
    subject = SUBJECTS[key]
    since = f"{_TODAY} - {whole_days(BACK_DAYS)}"
    past = subject.sql.format(since=since, until=_TODAY)
    if not subject.counted:
        known = "past.amount"
    else:
        known = f"CASE WHEN d < {_TODAY} AND d >= (SELECT min(day) FROM past) THEN coalesce(past.amount, 0) END"
    sql = f"""
WITH past AS (
{past}
)
SELECT extract(day FROM d - {_TODAY})::int AS days, {known} AS known, f.value AS expected, f.low, f.high
FROM generate_series({since}, {_TODAY} + {whole_days(HORIZON_DAYS - 1)}, {whole_days(1)}) d
LEFT JOIN past ON past.day = d
LEFT JOIN analytics.forecasts f ON f.series = '{key}' AND f.at = d
WHERE EXISTS (SELECT FROM past)
ORDER BY 1
""".strip()
    return Trend(
        name=name,
        title=title,
        description=f"{description} {TRIED} Nothing is drawn ahead when {TOO_FEW}.",
        targets=(SqlQuery(sql=sql),),
        width=width,
        x="days",
        unit=subject.unit,
        minimum=0,
        no_value="no whole day is known",
        overrides=(
            named("days", unit="none", min=-BACK_DAYS, custom_axisLabel="days from today (UTC)"),
            named("known", color=fixed(colours.BLUE)),
            named("expected", color=fixed(colours.BLUE), custom_lineStyle=_DASHED),
            *BAND,
        ),
    )


def trials(keys: tuple[str, ...], name: str = "forecast_trials") -> Panel:
    """How the methods did, for some subjects: the one that is used, beside the naive one."""
    titles = ", ".join(f"('{key}', '{SUBJECTS[key].title}', {number})" for number, key in enumerate(keys))
    sql = f"""
SELECT s.title, t.method, t.days, CASE WHEN t.points > 0 THEN t.points || ' x ' || t.ahead || ' days' END AS tried,
       t.share, naive.share AS naive, t.relative - 1 AS relative, t.covered, t.change - 1 AS change
FROM (VALUES {titles}) AS s (series, title, place)
JOIN analytics.forecast_trials t ON t.series = s.series AND t.used
LEFT JOIN analytics.forecast_trials naive ON naive.series = s.series AND naive.method = 'naive'
ORDER BY s.place
LIMIT 20
""".strip()
    headings = {
        "title": "Of", "method": "By", "days": "Days", "tried": "Tried", "share": "Error", "naive": "Last week's",
        "relative": "Against it", "covered": "Within", "change": "Next 4 weeks",
    }  # fmt: skip
    method = {**{key: Word(text) for key, text in METHODS.items()}, NONE: Word(TOO_FEW, colours.UNKNOWN)}
    share = {"unit": "percentunit", "decimals": 0}
    return Table(
        name=name,
        title="How good are these forecasts?",
        description=(
            "The method in use, and how many days it knows. It was tried from points in the past, a week apart, on days that "
            "it had not seen: the sum of its errors / the sum of what happened, the same for saying last week's weekday again, "
            "and by how much it errs less (below 0). Within: the share of those days between low and high. The last column is "
            f"the mean day of the next four weeks against the last four. {TRIED}"
        ),
        targets=(SqlQuery(sql=sql),),
        no_value="no forecast was made yet: the first comes some minutes after the exporter's start",
        transformations=columns(headings),
        overrides=(
            NARROW,
            named("By", custom_width=228, mappings=words(method)),
            *(named(column, **share) for column in ("Error", "Last week's", "Against it", "Within", "Next 4 weeks")),
            named("Days", unit="none", decimals=0, custom_width=56),
            named("Tried", custom_width=96),
            named("Of", custom_width=150, custom_wrapText=True),
        ),
    )
