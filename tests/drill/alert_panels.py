"""Panels of alerts, looked at as by somebody who followed a message of the drill: they show what it tells of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from alert_rules.catalogue import active
from alert_rules.model import Alert
from contract.values import duration_seconds
from dashboards.catalogue import TABS
from dashboards.lib.durations import SECONDS
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery
from demo.drill.expected import ALWAYS
from demo.drill.lives import ANCHOR, SETTINGS, Life
from provisioning.interpolation import Span, builtins, substitute
from provisioning.rules.history import Answer, History, aligned
from provisioning.rules.states import Firing
from tests.drill.first_checks import is_about

_SCRAPE = duration_seconds(SETTINGS.sources.prometheus.scrape_interval)


def unseen(life: Life, history: History, firings: Iterable[Firing]) -> list[str]:
    """What fired and stands nowhere beyond its limit in the panel that its message links to. `history` is the life's."""
    alerts = {alert.name: alert for alert in active(SETTINGS)}
    panels = {f"{tab.key}/{panel.name}": panel for tab in TABS for panel in tab.panels(SETTINGS)}
    return [
        f"{firing.alert} fires for {dict(firing.labels)}, which {alerts[firing.alert].panel_key} does not show"
        for firing in firings
        if firing.alert not in ALWAYS
        if not _shown(alerts[firing.alert], panels[alerts[firing.alert].panel_key], firing, history, life.until)
    ]


def _shown(alert: Alert, panel: Panel, firing: Firing, history: History, until: float) -> bool:
    labels, limit = dict(firing.labels), alert.limit(SETTINGS) / SECONDS.get(panel.unit, 1)
    return any(
        value > limit if alert.comparison == ">" else value < limit
        for answer in _answers(panel, labels, history, until)
        for (_, own), points in answer.items()
        if is_about(dict(own), labels)
        for at, value in points.items()
        if firing.pending <= at <= (firing.until or until)
    )


def _answers(panel: Panel, labels: Mapping[str, str], history: History, until: float) -> Iterator[Answer]:
    """What the panel asks for the time of the drill, with the variables that the message's link sets."""
    own = builtins(Span(ANCHOR, until, int(_SCRAPE)), _SCRAPE)
    span = aligned(ANCHOR, until, _SCRAPE)
    assert span is not None
    for query in panel.targets:
        if isinstance(query, PromQuery):
            text = substitute(query.expr, lambda name, _: own.get(name) or labels.get(name, ".*"))
            yield history.range(text, span)
