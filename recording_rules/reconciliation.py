"""One piece of work, counted three times: by the platform, as rows of the database, and as traces of Langfuse.

Nobody counts what did not happen, so the largest count is the nearest to the truth, and who has less of it has lost some.
"""

from __future__ import annotations

from collections.abc import Callable

from contract.settings import Settings
from contract.signals.agents import AGENT_QUERIES
from contract.signals.executions import EXECUTIONS
from contract.signals.model import Signal
from contract.signals.models import MODEL_TRACES
from recording_rules.model import KEPT, Formula, Group, Recorded

Query = Callable[[Signal, tuple[str, ...], str], str]

WINDOW, QUICK = "1h", "10m"
COUNTED = (AGENT_QUERIES, EXECUTIONS, MODEL_TRACES)
_COUNTED, _WORK = "environment_source:agent_work:rate10m", "environment_source:agent_work:rate1h"
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
    """What each source counts, and which part of the largest count that is; nothing with less than the least of an hour.

    An hour is the mean of short rates. A rate over a whole hour would be too small as long as counters are younger than that,
    as those of an exporter that was installed or moved to another address within the hour. What counts no more has none.
    """
    asked = ((signal.source, query(signal, (KEPT,), QUICK)) for signal in COUNTED)
    counts = tuple(Formula(_COUNTED, expression, (KEPT,), (("source", source),)) for source, expression in asked)
    hours = Formula(_WORK, f"avg_over_time({_COUNTED}[{WINDOW}]) and {_COUNTED}", (KEPT, "source"))
    enough = f"({_MOST} * 3600 >= {settings.thresholds.minimum_accounted}) / 3600"
    return (
        Group("reconciliation_counts", "1m", counts, level=2),
        Group("reconciliation_hours", "1m", (hours,), level=3),
        Group("reconciliation_most", "1m", (Formula(_MOST, f"max by ({KEPT}) ({_WORK})", (KEPT,)),), level=4),
        Group(
            "reconciliation_shares",
            "1m",
            (Formula(ACCOUNTED.record, f"{_WORK} / on ({KEPT}) group_left () ({enough})", (KEPT, "source")),),
            level=5,
        ),
    )
