"""The User analytics tab: how many people use the platform, do they come back, and what do they do with it?"""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib.ahead import ahead, trials
from dashboards.lib.layout import Row, line, row
from dashboards.lib.tab import Source, Tab
from dashboards.users import activity, groups, growth, habits, headline, logins, paths, people, retention


def rows(settings: Settings) -> tuple[Row, ...]:
    return (
        row(
            "headline",
            "How many use it, and do they come back?",
            line(4, headline.direction(), headline.users(), headline.active()),
            line(4, headline.stickiness(), headline.fourth_week(), headline.login_success(settings)),
        ),
        row(
            "activity", "Who comes", line(9, activity.active(), activity.stickiness()), line(9, growth.users(), growth.roles())
        ),
        row(
            "logins",
            "Logins and sessions",
            line(7, logins.by_hour(), logins.success(settings), logins.sessions()),
        ),
        row("retention", "Who stays", line(15, retention.cohorts()), line(8, retention.lifecycle(), groups.segments())),
        row(
            "ahead",
            "How many will come?",
            line(
                9,
                ahead(
                    "active_users",
                    "active_users_ahead",
                    "Active users by day, and in the next 30",
                    "Users with at least one own message on each whole day (UTC), and how many are expected.",
                ),
                ahead(
                    "new_users",
                    "new_users_ahead",
                    "New users by day, and in the next 30",
                    "Users by the day on which they were created, and how many are expected. A campaign is not known here.",
                ),
            ),
            line(6, trials(("active_users", "new_users"))),
            collapsed=True,
        ),
        row("groups", "Groups of users", line(9, groups.by_choice()), collapsed=True),
        row(
            "habits",
            "How much they do",
            line(8, habits.conversations(), habits.conversations_each()),
            line(8, habits.messages(), habits.messages_each()),
            collapsed=True,
        ),
        row("hours", "When they come", line(25, habits.hours()), line(7, logins.by_day()), collapsed=True),
        row(
            "features",
            "What they use",
            line(9, habits.adoption(), habits.first_use(), habits.features()),
            line(11, paths.steps()),
            collapsed=True,
        ),
        row(
            "people",
            "Who does most (pseudonyms)",
            line(12, people.most_active()),
            line(12, people.most_expensive(), people.cost_by_day()),
            collapsed=True,
        ),
    )


TAB = Tab(
    key="users",
    title="User analytics",
    folder="Administration",
    description="How many people use the platform, do they come back, and what do they do with it?",
    owner="product team",
    sources=(
        Source("Prometheus", "logins and numbers of users"),
        Source("PostgreSQL", "cohorts, habits and tables, asked directly"),
        Source("Langfuse", "calls and cost by user, through the ledger"),
    ),
    rows=rows,
    refresh="1m",
    time_from="now-30d",
    choices=groups.choices,
    empty_is_fine=frozenset({"users/active_users_ahead", "users/forecast_trials"}),
)
