"""Which collectors read the platform's database: with roll-ups where they may be written, else by questions alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from exporters.business.audit import AuditCollector
from exporters.business.from_rollups import FiguresCollector
from exporters.business.read_only import ReadOnlyCollector
from exporters.business.regressions import RegressionsCollector
from exporters.business.rollups import RollupsCollector
from exporters.business.tables import TablesCollector
from exporters.database.mapping import Mapping
from exporters.database.sharing import SharedSession
from exporters.scheduler import Collector
from exporters.snapshot import Sample, sample

if TYPE_CHECKING:
    from contract.settings import Settings

ABOUT = ("exporter_database_connections",)
"""The metrics about the connections."""


def business_collectors(
    settings: Settings,
    mapping: Mapping,
    reading: SharedSession,
    writing: SharedSession | None,
    user_key: Callable[[], str | None],
) -> tuple[Collector, ...]:
    """The collectors of one configuration. `writing` is the connection that may write schema `analytics`, if there is one."""

    def connections() -> Iterable[Sample]:
        opened = [session for session in (reading, writing) if session is not None and session.connected]
        return (sample("exporter_database_connections", value=len(opened)),)

    tables = TablesCollector(settings, mapping, reading.seat())
    figures: FiguresCollector | ReadOnlyCollector
    if writing is None:
        figures = ReadOnlyCollector(settings, mapping, reading.seat())
        figures.more = connections
        return figures, tables
    rollups = RollupsCollector(settings, mapping, writing.seat(), user_key)
    figures = FiguresCollector(settings, mapping, reading.seat(), rollups.latest)
    figures.more = connections
    audit = AuditCollector(settings, mapping, writing.seat())
    if mapping.is_absent("deployments"):
        return rollups, figures, tables, audit
    return rollups, figures, tables, audit, RegressionsCollector(settings, mapping, writing.seat())
