"""Every table that has a retention: how long, by which time, and who removes what is older."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import psycopg

from contract.analytics import ANALYTICS_SCHEMA
from contract.relations import RELATIONS
from contract.settings import Settings
from contract.values import duration_seconds
from exporters.database import ageing
from exporters.database.mapping import Mapping
from exporters.rollups import retention as tiers
from provisioning.findings import InputError, closest

Tier = Literal["minute", "hour", "day", "rows", "memory", "platform"]
"""The tiers of the roll-ups, single rows of ours, keys that counting remembers, and single rows of the platform."""


@dataclass(frozen=True)
class Kept:
    """A table, the column that says how old a row is, and the moment before which rows are too old.

    `archived`: they go only when they were archived. `by_exporter`: it removes them by itself. `relation` is what a table of
    the platform is in the contract.
    """

    schema: str
    table: str
    time: str
    tier: Tier
    older_than: str
    before: datetime
    archived: bool
    by_exporter: bool
    relation: str = ""

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"


def kept(connection: psycopg.Connection[Any], settings: Settings) -> list[Kept]:
    """All that have a retention, by the server's clock. Raises InputError for a relation whose rows cannot be told by age."""
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    return [*_ours(settings, row[0]), *_platforms(settings, row[0])]


def chosen(tables: Sequence[Kept], names: Sequence[str]) -> list[Kept]:
    """Those with these names, all where none is given. Raises InputError for a name that is none."""
    known = {kept.name: kept for kept in tables}
    for name in names:
        if name not in known:
            raise InputError(f"error: --table: {name!r} has no retention; {closest(name, known)}")
    return [known[name] for name in dict.fromkeys(names)] or list(tables)


def _ours(settings: Settings, now: datetime) -> Iterator[Kept]:
    retention = settings.database.retention
    for aged, before in tiers.horizons(retention, now).items():
        table, time = tiers.table(aged), tiers.time(aged)
        tier: Tier = "memory" if aged == "firsts" or aged == "user_seen" else aged
        archived = table in retention.archived
        yield Kept(ANALYTICS_SCHEMA, table, time, tier, tiers.kept(retention, aged), before, archived, not archived)
    for row in ageing.AGED:
        archived = row.table in retention.archived
        before = _whole_hour(now - timedelta(seconds=row.seconds(retention)))
        by_exporter = row in ageing.BY_THE_EXPORTER and not archived
        older_than = str(getattr(retention, row.retention))
        yield Kept(ANALYTICS_SCHEMA, row.table, row.time, "rows", older_than, before, archived, by_exporter)


def _platforms(settings: Settings, now: datetime) -> Iterator[Kept]:
    mapping = Mapping.of(settings)
    for relation, older_than in settings.database.retention.platform.items():
        time = mapping.column(relation, RELATIONS[relation].time)
        driving = mapping.driving(relation)
        if driving is None or time is None:
            raise InputError(
                f"error: database.retention.platform.{relation}: at this platform it is no table with a column"
                f" {RELATIONS[relation].time}, so its old rows cannot be told; leave it out"
            )
        before = _whole_hour(now - timedelta(seconds=duration_seconds(older_than)))
        yield Kept(*driving, time, "platform", older_than, before, archived=True, by_exporter=False, relation=relation)


def _whole_hour(at: datetime) -> datetime:
    """Old rows go by whole hours (UTC), so that each file of an archive holds whole ones."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
