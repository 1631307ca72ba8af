"""An alert as a panel: what it compares, at its own window and labels, with its threshold drawn."""

from __future__ import annotations

import re
from math import prod

from alert_rules import wording
from alert_rules.model import Alert
from contract.labels import LABELS
from contract.settings import Settings
from dashboards.alerts.known import SEVERITY_COLOURS
from dashboards.lib import colours
from dashboards.lib.field import Link, Thresholds
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.judged import at_least, watched
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery

MOST = 8
"""Series that a graph shows; a legend with more is no longer read."""
_ZEROS = re.compile(r"( 0[hms])+$")
"""What a duration does not need: 7d is 7d 0h 0m 0s."""
_UNITS = {"times": "none", "events": "short"}
_BOUNDLESS = {"environment"}


def rank(alert: Alert) -> int:
    """Its place among others: the worst first."""
    return tuple(SEVERITY_COLOURS).index(alert.severity)


def of(alert: Alert, settings: Settings) -> Panel:
    above, limit = alert.comparison == ">", alert.limit(settings)
    written = _ZEROS.sub("", wording.shown(alert.signal.unit, limit))
    return TimeSeries(
        name=alert.panel_key.split("/", 1)[1],
        title=f"{alert.name} {alert.comparison} {written}",
        description=_words(alert, settings),
        targets=(_query(alert, settings),),
        unit=_UNITS.get(alert.signal.unit, alert.signal.unit),
        no_value="nothing to judge in range",
        limits=_shaded(alert, limit),
        drawn="dashed+area",
        soft_maximum=limit * 1.2 or 1,
        calculations=("max" if above else "min",),
        links=(Link("Runbook", f"{settings.runbook_url}/{alert.name}", new_tab=True),),
    )


def _query(alert: Alert, settings: Settings) -> PromQuery:
    value = watched(alert, settings)
    if "rule_group" in alert.by:  # Prometheus calls a group by its file and its name
        value = f'label_replace({value}, "rule_group", "$1", "rule_group", ".*;(.*)")'
    if _is_wide(alert):
        value = f"{'topk' if alert.comparison == '>' else 'bottomk'}({MOST}, {value})"
    legend = " · ".join(f"{{{{{label}}}}}" for label in alert.by) or alert.signal.title
    return PromQuery(expr=value, legend=legend, step=_step(alert))


def _step(alert: Alert) -> str | None:
    """How far apart points may be: what looks back for long changes slowly."""
    return "5m" if alert.window_seconds >= 3600 else "2m" if alert.window_seconds >= 300 else None


def _is_wide(alert: Alert) -> bool:
    """Whether there may be more series than a legend has room for. A site has few environments."""
    return prod(LABELS[label].size if label in LABELS else MOST for label in alert.by if label not in _BOUNDLESS) > MOST


def _shaded(alert: Alert, limit: float) -> Thresholds:
    """The side on which it fires, in the colour of its severity."""
    colour = SEVERITY_COLOURS[alert.severity]
    return (
        Thresholds(colours.NONE, ((limit, colour),))
        if alert.comparison == ">"
        else Thresholds(colour, ((limit, colours.NONE),))
    )


def _words(alert: Alert, settings: Settings) -> str:
    worst = "greatest" if alert.comparison == ">" else "least"
    shown = f" The {MOST} {worst} at each moment are drawn." if _is_wide(alert) else ""
    judged = f" Drawn only where there were {at_least(alert, settings)}." if alert.guards else ""
    more = " It fires only while its further conditions hold too; the runbook names them." if alert.also else ""
    held = f" Held for {wording.span(alert.hold)} before it fires." if alert.hold_seconds else ""
    return (
        f"**{alert.signal.description}**, as the alert asks over {wording.span(alert.window)}.{shown}{judged}{held}{more}\n\n"
        f"{alert.meaning}\n\nFirst: {alert.checks[0].question} [The runbook]({settings.runbook_url}/{alert.name}) has the "
        "whole list."
    )
