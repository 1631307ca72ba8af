"""Service levels of agents: whether each agent keeps what was promised, and what is left of its error budget."""

from __future__ import annotations

from alert_rules import slo as alerts
from contract.settings import Settings
from contract.signals.model import Matches, like
from contract.slo import Slo
from dashboards.lib import colours
from dashboards.lib.field import Thresholds, lines, named
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask
from dashboards.lib.states import StatusHistory
from dashboards.lib.tables import BAR_CELL, COLOURED_TEXT, MERGED, Table, columns
from dashboards.performance.places import one_agent
from recording_rules import slo as recorded

WELL = Thresholds(colours.DOWN, ((0.95, colours.DEGRADED), (0.99, colours.OK)))
"""Shares of compliance: from 99 % well, from 95 % to be watched, below bad."""
WINDOWS = ("1h", "6h", "1d", "3d")
MOST = 16
NOT_MEASURED = "no service level of an agent is measured"
BY = recorded.LABELS


def levels(settings: Settings) -> tuple[Slo, ...]:
    """The service levels about how quick and how reliable agents are; a site may have none."""
    return tuple(slo for slo in settings.slo if slo.sli in ("errors", "latency"))


def names(settings: Settings) -> str:
    """A pattern for their names."""
    return "|".join(slo.name for slo in levels(settings)) or "none"


def _chosen(settings: Settings) -> Matches:
    return (like("slo", names(settings)), like("scope", "$agent|all"))


def burning(settings: Settings) -> Panel:
    period = levels(settings)[0]
    factors = {alert.window: float(period.burn_factor(alert.limit(settings), alert.window)) for alert in alerts.BURNS}
    told = ", ".join(f"{factor:.3g} over {window}" for window, factor in factors.items())
    parts = {window: f"max({ask(alerts.burn(window), BY, '', _chosen(settings))})" for window in WINDOWS}
    return TimeSeries(
        name="budget_burn",
        title="How fast the worst agent's error budget burns",
        description=(
            "How many times faster than evenly an error budget is spent, over several windows, each for the agent and "
            f"service level that is worst. 1 spends exactly all of it; alerts begin at {told}, with a budget for "
            f"{period.window_days} days. Short and long windows are high: act now; only the short one: it has just begun; "
            "only the long one: it is over."
        ),
        targets=(PromQuery(expr=union("window", parts), legend="over {{window}}", step="2m"),),
        unit="none",
        minimum=0,
        no_value=NOT_MEASURED,
        limits=lines(*((factor, colours.DOWN if factor >= 6 else colours.DEGRADED) for factor in factors.values())),
        drawn="dashed",
        calculations=("lastNotNull", "max"),
    )


def grid(settings: Settings) -> Panel:
    where = _chosen(settings)
    kept = f"1 - {ask(alerts.burn('1h'), BY, '', where)} * on (slo, team) group_left () slo:error_budget:ratio"
    worst = f"bottomk({MOST}, last_over_time({ask(alerts.REMAINING, BY, '', where)}[1h] @ end()))"
    return StatusHistory(
        name="slo_grid",
        title=f"Compliance by agent and service level, hour by hour ({MOST} with the least budget)",
        description=(
            "The share of good queries within each hour, by agent and service level: green from 99 %, amber from 95 %, red "
            "below. One row turns red at one hour: what was deployed then? All rows at one hour: something they share."
        ),
        targets=(
            PromQuery(
                expr=f"({kept}) and on (environment, scope, slo) {worst}", legend="{{scope}} · {{slo}}", step="1h"
            ),
        ),
        unit="percentunit",
        decimals=1,
        no_value=NOT_MEASURED,
        limits=WELL,
        with_legend=False,
    )  # fmt: skip


def budgets(settings: Settings) -> Panel:
    where = _chosen(settings)
    objective = f"0 * {ask(alerts.PERIOD_BURN, BY, '', where)} + on (slo, team) group_left () slo:objective:ratio"
    reached = f"1 - {ask(alerts.PERIOD_BURN, BY, '', where)} * on (slo, team) group_left () slo:error_budget:ratio"
    by = ", ".join(BY)
    asked = (
        objective,
        reached,
        *(f"max by ({by}) ({ask(signal, BY, '', where)})" for signal in (alerts.REMAINING, alerts.burn("1d"))),
    )
    headings = {
        "scope": "Agent", "slo": "Service level", "environment": "Environment",
        "Value #A": "Objective", "Value #B": "Reached", "Value #C": "Budget left", "Value #D": "Burn rate, 1 d",
    }  # fmt: skip
    pace = Thresholds(colours.OK, ((1.0, colours.DEGRADED), (3.0, colours.DOWN)))
    return Table(
        name="slo_budgets",
        title="Error budget left",
        description=(
            "Objective and what was reached over the service level's own period, as far as Prometheus remembers it, and the "
            "share of the error budget that is left: below zero more went wrong than was allowed, so releases wait. A burn "
            "rate above 1 spends it before the period ends."
        ),
        targets=tuple(PromQuery(expr=expr, instant=True, format="table") for expr in asked),
        no_value=NOT_MEASURED,
        transformations=(MERGED, *columns(headings)),
        overrides=(
            named("Agent", custom_width=110, links=[one_agent("${__value.raw}")]),
            named("Service level", custom_minWidth=120, custom_wrapText=True),
            named("Environment", custom_width=125),
            named("Objective", unit="percentunit", decimals=1, custom_width=105),
            named("Reached", unit="percentunit", decimals=2, custom_width=105),
            named("Budget left", unit="percentunit", decimals=0, min=0, max=1, custom_cellOptions=BAR_CELL,
                  thresholds=Thresholds(colours.DOWN, ((0.0, colours.DEGRADED), (0.2, colours.OK))).to_json_data()),
            named("Burn rate, 1 d", decimals=1, custom_width=135, thresholds=pace.to_json_data(),
                  custom_cellOptions=COLOURED_TEXT),
        ),
        sorted_by="Budget left",
        greatest_first=False,
        paged=True,
    )  # fmt: skip
