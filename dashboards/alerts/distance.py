"""How far each alert is from firing: its worst value against its limit."""

from __future__ import annotations

from alert_rules.catalogue import active
from alert_rules.model import Alert
from contract.settings import Settings
from dashboards.alerts import known
from dashboards.lib.field import PLAIN, Json, at_most, named
from dashboards.lib.judged import watched
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery
from dashboards.lib.tables import BAR_CELL, MERGED, Table, columns

_IN_A_QUERY = 10
"""Alerts of one query: few requests, none of them longer than an address may be."""
_OF_ITS_LIMIT: Json = {
    "id": "calculateField",
    "options": {"mode": "reduceRow", "reduce": {"reducer": "max"}, "alias": "Of its limit"},
}
"""Each query has a column of its own for its values; every row has a value in one of them."""
_FARTHEST = 100
"""What distances are at most, where less is worse: what is nothing at all is no number of times below its limit."""
_NO_SCALE = frozenset({"none", "events"})
"""Units of what either is or is not."""


def has_distance(alert: Alert, settings: Settings) -> bool:
    """Whether a value can be near the limit: it is no yes or no, and the limit is not zero."""
    return alert.limit(settings) > 0 and alert.signal.unit not in _NO_SCALE


def distance(alert: Alert, settings: Settings) -> str:
    """PromQL of the series that is nearest to firing: 1 at the limit, less before it, more beyond."""
    value, limit = watched(alert, settings), f"{alert.limit(settings):.9g}"
    share = f"{value} / {limit}" if alert.comparison == ">" else f"{limit} / clamp_min({value}, {limit} / {_FARTHEST})"
    return f'label_replace(topk(1, {share}), "alertname", "{alert.name}", "", "")'


def table(settings: Settings) -> Panel:
    alerts = [alert for alert in active(settings) if has_distance(alert, settings)]
    parts = [alerts[first : first + _IN_A_QUERY] for first in range(0, len(alerts), _IN_A_QUERY)]
    asked = ("\nor ".join(distance(alert, settings) for alert in part) for part in parts)
    headings = {
        "alertname": "Alert", "what": "Would say", "about": "Nearest", "environment": "Environment",
        "Of its limit": "Of its limit", "tab": "tab", "panel": "panel",
    }  # fmt: skip
    return Table(
        name="distance",
        title="How far from firing",
        description="The worst value of each alert / its limit (where less is worse: the limit / the value), where there is "
        "enough traffic to judge. At 100 % it fires once it has held. One that is always near is set too close; one that "
        "is always at a few per cent may be set too far. Alerts on what either is or is not have no distance and are left out.",
        targets=tuple(
            PromQuery(expr=known.with_copies(known.about(expression, settings)), format="table", instant=True)
            for expression in asked
        ),
        no_value="nothing is watched that has a distance",
        limits=PLAIN,
        transformations=(MERGED, _OF_ITS_LIMIT, *columns(headings)),
        sorted_by="Of its limit",
        overrides=(
            named("Alert", custom_width=225),
            named("Environment", custom_width=118),
            named("Nearest", custom_width=200, custom_wrapText=True, mappings=known.ABOUT),
            named(
                "Of its limit", unit="percentunit", decimals=0, min=0, max=1, custom_width=130, custom_cellOptions=BAR_CELL,
                color={"mode": "thresholds"}, thresholds=at_most(0.8, 1).to_json_data(),
            ),
            named("Would say", custom_minWidth=200, custom_wrapText=True),
            *known.overrides(settings, what="Would say"),
        ),
        paged=True,
        two_lines=True,
    )  # fmt: skip
