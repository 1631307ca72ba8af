"""The service levels that are about the chosen agent alone."""

from __future__ import annotations

from alert_rules import slo as alerts
from contract.signals.model import Signal, aggregate, equal
from dashboards.lib import colours
from dashboards.lib.field import Thresholds, at_least, named
from dashboards.lib.filters import matched
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery
from dashboards.lib.tables import BAR_CELL, COLOURED_TEXT, MERGED, Table, columns
from dashboards.one_agent.headline import LEAST_LEFT
from recording_rules import registry
from recording_rules.slo import LABELS

_WINDOWS = ("1h", "6h", "3d")
_BURNING = Thresholds(colours.OK, ((1.0, colours.DEGRADED), (6.0, colours.DOWN)))


def _of_agent(signal: Signal) -> str:
    """One series for each, without its own name, so that answers about one service level become one row."""
    found = registry.query(signal, LABELS, "", (matched("environment"), equal("scope", "$agent")))
    return aggregate("max", LABELS, found)


def service_levels() -> Panel:
    burnt = _of_agent(alerts.PERIOD_BURN)
    asked = {
        "Objective": f"0 * {burnt} + on (slo, team) group_left () slo:objective:ratio",
        "Reached": f"1 - {burnt} * on (slo, team) group_left () slo:error_budget:ratio",
        "Budget left": _of_agent(alerts.REMAINING),
        **{f"Burn {window}": _of_agent(alerts.burn(window)) for window in _WINDOWS},
    }
    values = {f"Value #{chr(65 + place)}": name for place, name in enumerate(asked)}
    return Table(
        name="service_levels",
        title="What was promised of it, and what was kept?",
        description=(
            "Each service level that is about this agent: objective and what was reached in the level's own period, what is "
            "left of its error budget, and how many times faster than evenly it burns. Above 1 the budget ends before its "
            "period does: fewer changes, and the greatest cause of errors first."
        ),
        targets=tuple(PromQuery(expr=expr, instant=True, format="table") for expr in asked.values()),
        no_value="no service level is about it",
        transformations=(MERGED, *columns({"slo": "Service level", "environment": "Environment", "team": "Team"} | values)),
        overrides=(
            named("Service level", custom_minWidth=130, custom_wrapText=True),
            *(named(name, unit="percentunit", decimals=2, custom_width=85) for name in ("Objective", "Reached")),
            named("Budget left", unit="percentunit", min=0, max=1, thresholds=at_least(LEAST_LEFT).to_json_data(),
                  custom_cellOptions=BAR_CELL),
            *(
                named(f"Burn {window}", decimals=1, custom_width=75, thresholds=_BURNING.to_json_data(),
                      custom_cellOptions=COLOURED_TEXT)
                for window in _WINDOWS
            ),
        ),
    )  # fmt: skip
