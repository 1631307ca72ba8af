"""One piece of work, counted three times: by the platform, as rows of the database, and as traces of Langfuse.

Nobody counts what did not happen, so the largest count is the nearest to the truth, and who has less of it has lost some.
"""

from __future__ import annotations

from collections.abc import Callable

from contract.metrics import Source
from contract.settings import Settings
from contract.signals.agents import AGENT_QUERIES
from contract.signals.executions import EXECUTIONS
from contract.signals.model import Leaf, Signal, selector
from contract.signals.models import MODEL_TRACES
from recording_rules.model import KEPT, Formula, Group, Recorded

Query = Callable[[Signal, tuple[str, ...], str], str]

WINDOW = "1h"
COUNTED = (AGENT_QUERIES, EXECUTIONS, MODEL_TRACES)
_WORK = "environment_source:agent_work:rate1h"
_MOST = "environment:agent_work:max1h"

ACCOUNTED = Recorded(
    "accounted",
    "Accounted for",
    "What a source counted in an hour / the largest count of the three sources",
    "percentunit",
    "environment_source:agent_work_accounted:ratio1h",
    tuple(signal.leaf for signal in COUNTED),
    (KEPT, "source"),
    operator="min",
)
WORK = Recorded(
    "agent_work",
    "Agent queries, as counted",
    "Agent queries per second as the platform, the database and Langfuse count them",
    "reqps",
    _WORK,
    tuple(signal.leaf for signal in COUNTED),
    (KEPT, "source"),
)


def groups(settings: Settings, query: Query) -> tuple[Group, ...]:
    """What each source counts, and which part of the largest count that is; nothing with less than the least of an hour."""
    counts = tuple(
        Formula(_WORK, f"{query(signal, (KEPT,), WINDOW)} and {_whole(signal.leaf)}", (KEPT,), (("source", signal.source),))
        for signal in COUNTED
    )
    enough = f"({_MOST} * 3600 >= {settings.thresholds.minimum_accounted}) / 3600"
    return (
        Group("reconciliation_counts", "1m", counts, level=2),
        Group("reconciliation_most", "1m", (Formula(_MOST, f"max by ({KEPT}) ({_WORK})", (KEPT,)),), level=3),
        Group(
            "reconciliation_shares",
            "1m",
            (Formula(ACCOUNTED.record, f"{_WORK} / on ({KEPT}) group_left () ({enough})", (KEPT, "source")),),
            level=4,
        ),
    )


def _whole(leaf: Leaf) -> str:
    """PromQL that holds where a source counts now, and did so an hour ago: the rate of an hour is too small where it did not.

    Each replica of the exporter counts all there ever was, and not from nothing: one has to have been at its
    address for the hour. Of the platform, processes may come and go.
    """
    series = selector(leaf.series, leaf.matches)
    before = f"{series} offset {WINDOW}"
    if leaf.metric.source is Source.PLATFORM:
        return f"group by ({KEPT}) ({series}) and group by ({KEPT}) ({before})"
    return f"group by ({KEPT}) ({series} and {before})"
