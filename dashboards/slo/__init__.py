"""Rows on service levels: where each stands, what is left of its budget, and how fast that goes."""

from __future__ import annotations

from alert_rules import slo as alerts
from contract.settings import Settings
from contract.slo import Slo
from dashboards.lib import colours
from dashboards.lib.field import Thresholds, at_least, lines, named
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.layout import Row, line, row
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, ask
from dashboards.lib.tables import BAR_CELL, COLOURED_TEXT, MERGED, NARROW, Table, columns
from recording_rules.slo import LABELS

_BURNING = Thresholds(colours.OK, ((1.0, colours.DEGRADED), (6.0, colours.DOWN)))
_WINDOWS = ("5m", "1h", "6h", "3d")


def rows(settings: Settings) -> tuple[Row, ...]:
    """None where a site has no service levels."""
    if not settings.slo:
        return ()
    return (row("service_levels", "Service levels", line(9, _status()), line(9, _remaining(), _burning(settings))),)


def _status() -> Panel:
    objective = f"0 * {ask(alerts.PERIOD_BURN, LABELS)} + on (slo, team) group_left () (slo:objective:ratio > 0)"
    reached = f"1 - {ask(alerts.PERIOD_BURN, LABELS)} * on (slo, team) group_left () (slo:error_budget:ratio < 1)"
    left = (alerts.REMAINING, *(alerts.burn(window) for window in _WINDOWS))
    # Without their own names, or no two figures would stand in one row.
    asked = [objective, reached, *(f"max by ({', '.join(LABELS)}) ({ask(signal, LABELS)})" for signal in left)]
    shown = ("Objective", "Reached", "Budget left", *(f"Burn {window}" for window in _WINDOWS))
    values = {f"Value #{chr(65 + place)}": name for place, name in enumerate(shown)}
    texts = {"slo": "Service level", "scope": "Of", "environment": "Environment", "team": "Team"}
    return Table(
        name="service_levels",
        title="Where each service level stands",
        description="Objective and what was reached over the level's own period, as far as Prometheus remembers it; what is "
        "left of the error budget; and how many times faster than evenly it burns. Money has no objective: what is left of "
        "it is against an even pace.",
        targets=tuple(PromQuery(expr=expr, instant=True, format="table") for expr in asked),
        no_value="nothing measured yet",
        transformations=(MERGED, *columns(texts | values)),
        sorted_by="Budget left",
        greatest_first=False,
        paged=True,
        overrides=(
            NARROW,
            named("Service level", custom_width=150, custom_wrapText=True),
            named("Of", custom_width=116, custom_wrapText=True),
            named("Environment", custom_width=100),
            named("Team", custom_width=72),
            *(named(name, unit="percentunit", decimals=2, custom_width=82) for name in ("Objective", "Reached")),
            named("Budget left", unit="percentunit", min=0, max=1, thresholds=at_least(0.2).to_json_data(),
                  custom_cellOptions=BAR_CELL),
            *(
                named(f"Burn {window}", decimals=1, custom_width=70, thresholds=_BURNING.to_json_data(),
                      custom_cellOptions=COLOURED_TEXT)
                for window in _WINDOWS
            ),
        ),
    )  # fmt: skip


def _remaining() -> Panel:
    return TimeSeries(
        name="budget_remaining",
        title="Error budget left (eight least)",
        description="Share of the error budget that is left; below zero more went wrong than was allowed. The eight service "
        "levels, agents and models with the least left are shown.",
        targets=(
            PromQuery(
                expr=f"bottomk(8, {ask(alerts.REMAINING, ('environment', 'scope', 'slo'))})",
                step="1m",
                legend="{{slo}} · {{scope}} · {{environment}}",
            ),
        ),
        unit="percentunit",
        no_value="nothing measured yet",
        soft_maximum=1,
        limits=lines((0.0, colours.DOWN)),
        drawn="dashed",
        calculations=("lastNotNull", "min"),
    )


def _burning(settings: Settings) -> Panel:
    factors = _factors(settings.slo[0], settings)
    told = ", ".join(f"{factor:g} over {window}" for window, factor in factors)
    return TimeSeries(
        name="burn_rates",
        title="Burn rate over an hour (eight highest)",
        description="How many times faster than evenly error budgets are spent. The lines are where alerts begin with a "
        "budget for "
        f"{settings.slo[0].window_days} days: {told}.",
        targets=(
            PromQuery(
                expr=f"topk(8, {ask(alerts.burn('1h'), ('environment', 'scope', 'slo'))})",
                step="1m",
                legend="{{slo}} · {{scope}} · {{environment}}",
            ),
        ),
        unit="none",
        no_value="nothing burns in range",
        limits=lines(*((factor, colours.DOWN if factor >= 6 else colours.DEGRADED) for _, factor in factors)),
        drawn="dashed",
        calculations=("lastNotNull", "max"),
    )


def _factors(slo: Slo, settings: Settings) -> tuple[tuple[str, float], ...]:
    """The burn rate at which each alert begins, with its window."""
    return tuple((alert.window, float(slo.burn_factor(alert.limit(settings), alert.window))) for alert in alerts.BURNS)
