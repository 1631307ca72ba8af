"""Forecasts as text for people. Pure; rows are dicts as `commands` reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contract.forecasts import LEAST_DAYS, METHODS, NONE, SUBJECTS
from provisioning.text import rounded

Row = dict[str, Any]
_NEVER = "none was made yet: the exporter does, some minutes after its start, where it may write schema analytics"


def forecasts(rows: Sequence[Row]) -> str:
    """A line a series: what the days to come have, by which method, how good that was."""
    if not rows:
        return f"no forecast: {_NEVER}"
    return "\n".join([f"made {rows[0]['made_at']:%Y-%m-%d %H:%M} UTC", *map(_series, rows)])


def _series(row: Row) -> str:
    subject = SUBJECTS.get(row["series"])
    title, unit = (subject.title, subject.unit) if subject else (row["series"], "reqps")
    if row["method"] == NONE:
        return f"{title}: none, {row['days']} whole days are known, {LEAST_DAYS} are needed"
    week = ", ".join(_amount(row[name], unit) for name in ("mid", "low", "high"))
    good = "nothing happened" if row["share"] is None else f"errs by {row['share']:.0%}"
    against = "" if row["relative"] is None else f", {row['relative']:.2f} times as much as last week's weekday"
    within = "" if row["covered"] is None else f", {row['covered']:.0%} of days within"
    change = "" if row["change"] is None else f"; next four weeks {row['change'] - 1:+.0%}"
    method = METHODS[row["method"]]
    return f"{title}: a day of the next week {week} (mean, low, high){change}; by {method}: {good}{against}{within}"


def _amount(value: float, unit: str) -> str:
    if unit == "currencyUSD":
        return f"{value:,.2f} USD"
    return f"{rounded(value)} {unit}" if unit in ("s", "reqps") else f"{value:,.0f}"
