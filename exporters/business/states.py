"""How the roll-ups themselves do, source by source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from exporters.rollups.state import State
from exporters.snapshot import Sample, sample

YIELDS = (
    "platform_rollup_advanced_timestamp_seconds",
    "platform_rollup_mode",
    "platform_rollup_rows_total",
    "platform_rollup_corrections_total",
    "platform_rollup_drift_rows",
    "platform_rollup_rebuild_needed",
    "platform_rollup_backfill_ratio",
)
"""The metrics that are given."""


def samples(states: list[State], looked_at: Mapping[str, float]) -> Iterator[Sample]:
    """`looked_at`: when each source was last found to have nothing that is not counted, in seconds since the epoch."""
    for state in states:
        name = state.source
        advanced = max(state.advanced_at.timestamp(), looked_at.get(name, 0.0))
        yield sample("platform_rollup_advanced_timestamp_seconds", name, value=advanced)
        yield sample("platform_rollup_mode", name, state.mode, value=1)
        yield sample("platform_rollup_rows_total", name, value=state.counted)
        yield sample("platform_rollup_corrections_total", name, value=state.corrections)
        yield sample("platform_rollup_rebuild_needed", name, value=state.rebuild_needed)
        yield sample("platform_rollup_backfill_ratio", name, value=_backfilled(state))
        if state.drift is not None:
            yield sample("platform_rollup_drift_rows", name, value=state.drift)


def _backfilled(state: State) -> float:
    """The share of the old rows that is counted; their number is an estimate, so less than all stays below 1."""
    if state.backfilled:
        return 1.0
    return min(0.99, state.backfill_rows / state.backfill_total) if state.backfill_total else 0.0
