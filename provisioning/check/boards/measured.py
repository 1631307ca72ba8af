"""Whether a panel's unit is that of the figures it asks for: seconds that are shown as milliseconds are wrong by a thousand."""

from __future__ import annotations

from collections.abc import Iterator

from provisioning.boards import Board, Json
from provisioning.check.boards.load import filled
from provisioning.check.boards.model import Site
from provisioning.check.lint.measures import unit_of
from provisioning.check.lint.model import Fault
from provisioning.check.tree import parsed
from provisioning.interpolation import Span

_SPAN = Span(0, 6 * 3600, 60)
_SHOWN = {
    "seconds": "s dtdurations dthms clocks",
    "milliseconds": "ms dtdurationms dtdhms clockms",
    "microseconds": "µs",
    "nanoseconds": "ns",
    "minutes": "m",
    "hours": "h",
    "days": "d",
    "ratio": "percentunit",
    "percent": "percent",
    "bytes": "bytes decbytes",
    "kilobytes": "kbytes deckbytes",
    "megabytes": "mbytes decmbytes",
    "gigabytes": "gbytes decgbytes",
    "usd": "currencyUSD",
}
_MEASURE = {unit: measure for measure, units in _SHOWN.items() for unit in units.split()}
"""What figures are in that are shown in a unit of Grafana. Those that are not here, such as `none`, suit any figure."""
_FITTING = {"seconds": "s", "ratio": "percentunit", "percent": "percent", "bytes": "bytes", "usd": "currencyUSD"}
"""Measures of figures that one unit is for."""


def measured(board: Board, site: Site) -> Iterator[tuple[str, Fault]]:
    """Fields with a unit of their own are the business of who gives it to them."""
    for panel in board.panels:
        config = panel.get("fieldConfig", {})
        shown = _MEASURE.get(str(config.get("defaults", {}).get("unit")))
        given = (prop.get("id") for override in config.get("overrides", []) for prop in override.get("properties", []))
        if shown is None or "unit" in given:
            continue
        for place, measure in _measures(board, panel, site):
            if measure in _FITTING and measure != shown:
                found = f"shows {measure} as {shown}"
                yield place, Fault(found, f"the unit {_FITTING[measure]}, or {shown} in the query", "warning")


def _measures(board: Board, panel: Json, site: Site) -> Iterator[tuple[str, str | None]]:
    """What the queries of a panel give; those that cannot be read are told of elsewhere."""
    for query in board.panel_queries(panel):
        if query.language == "promql":
            try:
                node = parsed(filled(query.text, board, _SPAN, site.scrape.total_seconds()))
            except ValueError:
                continue
            yield query.place, unit_of(node, site.known)
