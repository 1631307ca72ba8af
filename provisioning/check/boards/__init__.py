"""Lint of dashboards: what Grafana takes, and readers regret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from provisioning.boards import Board
from provisioning.check.boards import described, load, measured, named, schema, times, variables
from provisioning.check.boards.model import BoardCheck, Site
from provisioning.findings import Finding

BOARD_CHECKS = (
    BoardCheck("dashboards/schema", schema.schema),
    BoardCheck("dashboards/described", described.described),
    BoardCheck("dashboards/unit", described.unit),
    BoardCheck("dashboards/unit", measured.measured),
    BoardCheck("dashboards/raw-name", named.raw_names),
    BoardCheck("dashboards/no-query", described.no_query),
    BoardCheck("dashboards/editable", described.editable),
    BoardCheck("dashboards/fixed-source", variables.fixed_source),
    BoardCheck("dashboards/unused-variable", variables.unused),
    BoardCheck("dashboards/reload", variables.reload),
    BoardCheck("dashboards/filter", variables.unfiltered),
    BoardCheck("dashboards/rate-interval", times.rate_interval),
    BoardCheck("dashboards/refresh", times.refresh),
    BoardCheck("dashboards/load", load.load),
)


def board_findings(boards: Iterable[Board], site: Site) -> Iterator[Finding]:
    """What each of the dashboards could do better for its readers."""
    for board in boards:
        for check in BOARD_CHECKS:
            for place, fault in check.find(board, site):
                yield Finding(fault.severity, place, fault.message, fault.remedy, check.id)
