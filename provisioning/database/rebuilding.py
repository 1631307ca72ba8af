"""`observatory db rebuild`: sources that are counted anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from contract.settings import Settings
from contract.values import duration_seconds
from exporters.database.mapping import Mapping
from exporters.database.sessions import StatementRefused
from exporters.rollups import rebuild
from exporters.rollups.forms import forms
from exporters.rollups.sources import SOURCES
from provisioning.findings import InputError, closest


def rebuild_sources(
    connection: psycopg.Connection[Any], settings: Settings, names: Sequence[str], say: Callable[[str], None]
) -> None:
    """Counts these sources anew, one after the other. Raises InputError for names that are none, or not of this platform."""
    for name in names:
        if name not in SOURCES:
            raise InputError(f"error: {name!r} is no source; {closest(name, SOURCES)}")
    known = forms(connection, Mapping.of(settings))
    for name in names:
        if name not in known:
            raise InputError(f"error: this platform has no {SOURCES[name].relation}, so there is nothing to count for {name}")

    minutes = f"{duration_seconds(settings.database.retention.minute):.0f} seconds"
    for name in names:
        try:
            rows = rebuild.rebuild(
                connection, known[name], lambda progress: say(f"{progress.source}: {progress.rows} rows"), minutes
            )
        except (rebuild.RebuildRefused, StatementRefused) as problem:
            raise InputError(f"error: {problem}") from None
        say(f"{name}: counted anew, {rows} rows")
