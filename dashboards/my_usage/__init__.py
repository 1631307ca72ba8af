"""My usage: the figures of one person. There is one such dashboard for each person of `my_usage`, and none by default.

It reads the views `analytics.my_…`, which show the rows of whoever is logged in, through the data source of that person. It has
no other source: what everybody does is nothing that a person's login could read.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract.personal import Person
from contract.settings import Settings
from dashboards.lib.layout import Row, line, row
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tab import Source, Tab
from dashboards.lib.texts import Text
from dashboards.lib.variables import DataSourceVariable, Variable
from dashboards.my_usage import course, headline


@dataclass(frozen=True, kw_only=True)
class PersonalTab(Tab):
    """The dashboard of one person, in that person's organisation and on that person's data source."""

    person: Person

    def data_sources(self, settings: Settings) -> tuple[Variable, ...]:  # noqa: ARG002
        source = DataSourceVariable(name="postgres", label="My data", type=SqlQuery.source["type"], uid=self.person.uid)
        return (source,)

    def legend(self, settings: Settings) -> Row:  # noqa: ARG002
        """What the tab answers. How old the exporter's figures are is not asked: these are rows, as they are now."""
        content = (
            f"**{self.description}** Only your own rows can be read here: the database shows each login its own. "
            "Conversations, tickets and agent runs are as the platform has them now; model calls are some minutes behind."
        )
        return row("about", "", line(2, Text(name="legend", title="", description="What this tab answers.", content=content)))


def rows(_: Settings) -> tuple[Row, ...]:
    return (
        row(
            "headline",
            "What did I use?",
            line(3, headline.conversations(), headline.executions(), headline.tickets()),
            line(3, headline.tokens(), headline.cost(), headline.feedback()),
        ),
        row("course", "Day by day", line(9, course.activity(), course.tokens(), course.cost())),
        row("agents", "With whom?", line(8, course.agents())),
    )


def tab(person: Person) -> PersonalTab:
    """The dashboard of one person."""
    return PersonalTab(
        person=person,
        key=person.tab,
        title="My usage",
        folder="Personal",
        description="What did I use, what did it cost, and which agents helped me?",
        owner="platform team",
        sources=(
            Source("PostgreSQL", "your rows, as they are now"),
            Source("Langfuse", "your model calls, some minutes behind"),
        ),
        rows=rows,
        refresh="5m",
        time_from="now-30d",
        filters=(),
    )


def tabs(settings: Settings) -> tuple[PersonalTab, ...]:
    """The dashboards of all configured persons."""
    return tuple(tab(person) for person in settings.my_usage)
