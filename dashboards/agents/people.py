"""What people think of agents, and when a person has to take over."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from dashboards.agents.headline import where
from dashboards.feedback.given import NPS, given
from dashboards.lib import colours
from dashboards.lib.agent_bars import WHOLE, AgentBars
from dashboards.lib.field import PLAIN, Thresholds, at_least, lines, named, narrowing_link, tab_link
from dashboards.lib.figures import Gauge, Stat
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.spending import DAYS

MOST = 12
FEEDBACK = (tab_link("Feedback & quality", "feedback"),)


def rating() -> Panel:
    sql = f"""
SELECT avg(f.rating)::float8 AS stars
{given()} AND f.rating BETWEEN 1 AND 5
HAVING count(*) > 0
""".strip()
    return Gauge(
        name="rating",
        title="Rating",
        description=(
            "Mean stars (1 to 5) that people gave in the range; amber below four, red below three. Below: the tab "
            "Feedback & quality shows about what they are unhappy."
        ),
        targets=(SqlQuery(sql=sql),),
        width=4,
        unit="none",
        decimals=2,
        minimum=1,
        maximum=5,
        no_value="nobody gave stars",
        limits=Thresholds(colours.DOWN, ((3, colours.DEGRADED), (4, colours.OK))),
        links=FEEDBACK,
    )


def promoters() -> Panel:
    ended = f"SELECT sum(ended) FROM analytics.agent_daily WHERE {where()}"
    sql = f"""
SELECT ({NPS})::float8 AS "NPS", count(f.nps)::float8 AS answers,
       count(f.nps)::float8 / nullif(({ended}), 0) AS "response rate"
{given()} AND f.nps BETWEEN 0 AND 10
HAVING count(*) > 0
""".strip()
    return Stat(
        name="nps",
        title="NPS",
        description=(
            f"{DEFINITIONS['nps'].formula}, from -100 to 100, with the number of answers and their share of the conversations "
            "that ended on its days. With few answers it jumps by itself."
        ),
        targets=(SqlQuery(sql=sql),),
        width=4,
        unit="none",
        decimals=0,
        no_value="nobody was asked",
        limits=at_least(0),
        shown="value_and_name",
        direction="horizontal",
        value_size=22,
        overrides=(
            named("answers", unit="locale", thresholds=PLAIN.to_json_data()),
            named("response rate", unit="percentunit", decimals=1, thresholds=PLAIN.to_json_data()),
        ),
        links=FEEDBACK,
    )


def thumbs(settings: Settings) -> Panel:
    limit = 1 - settings.thresholds.negative_feedback_ratio
    sql = f"""
SELECT agent, sum(positive)::float8 / sum(positive + negative) AS "thumbs up"
FROM analytics.agent_daily WHERE {where()}
GROUP BY agent HAVING sum(positive + negative) > 0 ORDER BY 2, 1 LIMIT {MOST}
""".strip()
    return AgentBars(
        name="thumbs",
        title="Thumbs up by agent",
        description=(
            f"Thumbs up / thumbs given on the days of the range, of the {MOST} least liked; the alert begins below "
            f"{limit:.0%} within an hour (the line). Low with a good success rate: it helps, but unkindly or slowly."
        ),
        targets=(SqlQuery(sql=sql),),
        width=8,
        unit="percentunit",
        decimals=0,
        minimum=0,
        maximum=WHOLE,
        no_value="no thumb in range",
        limits=lines((limit, colours.DOWN)),
        data_links=(narrowing_link("Its feedback", "feedback", "agent", "${__data.fields.agent}", ("environment",)),),
    )


def reasons() -> Panel:
    sql = f"""
SELECT day AS "time", replace(reason, '_', ' ') AS metric, sum(handoffs)::float8 AS value
FROM analytics.handoff_daily
WHERE {DAYS} AND {chosen_all(environment="environment", agent="agent")}
GROUP BY 1, 2
ORDER BY 1, 2
LIMIT 5000
""".strip()
    return TimeSeries(
        name="handoff_reasons",
        title="Handoffs by reason",
        description=(
            "Conversations handed over to a person, by day (UTC) and reason. Low confidence grows: documents are missing; "
            "repeated failure: a tool fails; user request: people no longer trust the agent. Who takes over and how soon is on "
            "the tab Support tickets."
        ),
        targets=(SqlQuery(sql=sql, format="time_series"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no handoff in range",
        style="bars",
        stacked=True,
        calculations=("sum",),
        links=(tab_link("Support tickets", "tickets"),),
    )
