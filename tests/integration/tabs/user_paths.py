"""Ways of users through the features, walked user by user over the platform's rows of a week and the day after."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from statistics import median

import pytest

from tests.integration.moment import DAY, Moment
from tests.integration.tabs import Fault

RANGE = 8 * DAY
A_DAY = timedelta(days=1)
Step = tuple[str, str]


def paths(moment: Moment) -> None:
    end = datetime.fromtimestamp(moment.at, tz=moment.postgres.tzinfo)
    begin = end - timedelta(seconds=RANGE)
    ways: defaultdict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for user, at, feature in moment.sql(
        "SELECT user_id, at, feature FROM app.feature_usage_events WHERE at <= :to AND user_id IS NOT NULL ORDER BY at, id",
        RANGE,
    ):
        ways[user].append((at, feature))
    waits: defaultdict[Step, list[float]] = defaultdict(list)
    times: defaultdict[Step, int] = defaultdict(int)
    for way in ways.values():
        for number, (at, feature) in enumerate(way):
            if not begin <= at <= end - A_DAY:
                continue
            if not number or at - way[number - 1][0] > A_DAY:
                times["(begin)", feature] += 1
            following = next(((then, name) for then, name in way[number + 1 : number + 2] if then - at <= A_DAY), None)
            step = (feature, following[1] if following else "(nothing more)")
            times[step] += 1
            if following:
                waits[step].append((following[0] - at).total_seconds())
    of = {feature: sum(n for (after, _), n in times.items() if after == feature) for feature, _ in times}
    shown = {(row["after"], row["next"]): row for row in moment.panel_table("users/paths", seconds=RANGE)}
    assert shown.keys() == times.keys() and len(shown) > 10
    for step, row in shown.items():
        assert (row["times"], row["share"]) == (times[step], pytest.approx(times[step] / of[step[0]])), step
        assert row["wait"] == (pytest.approx(median(waits[step])) if waits[step] else None), step


FIGURES = {"users/paths": paths}
FAULTS = (Fault("users/paths", "lead(e.feature)", "lag(e.feature)"),)
