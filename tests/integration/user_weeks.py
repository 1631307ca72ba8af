"""In which weeks (Mondays, UTC) users wrote something, from the platform's messages: cohorts and segments are made of these."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

from tests.integration.moment import Moment
from tests.integration.reckoning import utc

OWN = "role = 'user' AND user_id IS NOT NULL"
"""A message of a user's own."""


def monday(at: datetime) -> date:
    day = utc(at).date()
    return day - timedelta(days=day.weekday())


class Cohorts:
    """Users by the week of joining, and those of them who wrote something in each week."""

    def __init__(self, moment: Moment) -> None:
        joined = dict(moment.sql("SELECT id, created_at FROM app.users"))
        weeks = moment.sql(
            f"SELECT DISTINCT date_trunc('week', created_at AT TIME ZONE 'UTC')::date, user_id FROM app.messages WHERE {OWN}"
        )
        self.today = datetime.fromtimestamp(moment.at, UTC).date()
        self.size = Counter(monday(at) for at in joined.values())
        self.users: dict[tuple[date, int], set[int]] = defaultdict(set)
        for week, user in weeks:
            cohort = monday(joined[user])
            self.users[cohort, (week - cohort).days // 7].add(user)

    def over(self, cohort: date, week: int) -> bool:
        return cohort + timedelta(weeks=week + 1) <= self.today

    def share(self, cohort: date, week: int) -> float | None:
        return len(self.users[cohort, week]) / self.size[cohort] if self.over(cohort, week) else None


def weeks_of_users(moment: Moment) -> dict[int, set[date]]:
    found: dict[int, set[date]] = defaultdict(set)
    for user, week in moment.sql(
        f"SELECT DISTINCT user_id, date_trunc('week', created_at AT TIME ZONE 'UTC')::date FROM app.messages WHERE {OWN}"
    ):
        found[user].add(week)
    return found


def segmented(moment: Moment) -> dict[int, str]:
    """The segment of each user."""
    this = monday(datetime.fromtimestamp(moment.at, UTC))
    last_four = {this - timedelta(weeks=back) for back in (1, 2, 3, 4)}
    lately = {this, this - timedelta(weeks=1)}
    weeks = weeks_of_users(moment)

    def segment(user: int) -> str:
        full = weeks[user] & last_four
        if len(full) == 4:
            return "power"
        if full:
            return "regular" if weeks[user] & lately else "at risk"
        return "new or back" if this in weeks[user] else "dormant"

    return {user: segment(user) for (user,) in moment.sql("SELECT id FROM app.users WHERE created_at <= :to")}
