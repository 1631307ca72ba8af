"""How long Prometheus keeps figures, against how long rules and panels are told that it does."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.model import Leaf
from contract.values import duration_seconds
from recording_rules.model import Formula, Group, Recorded

_LIMIT, _INSTANCE = "prometheus_tsdb_retention_limit_seconds", ("job", "instance")

RETENTION_KEPT = Recorded(
    "retention_kept",
    "Retention",
    "Time that Prometheus keeps figures / `sources.prometheus.retention`, for which rules and panels are built",
    "percentunit",
    "prometheus:retention:ratio",
    (Leaf(_LIMIT),),
    _INSTANCE,
    operator="min",
)


def groups(settings: Settings) -> tuple[Group, ...]:
    """One rule: the limit in shares of what is configured. A Prometheus that is limited by size alone has no such limit."""
    wanted = duration_seconds(settings.sources.prometheus.retention)
    share = f"min by ({', '.join(_INSTANCE)}) ({_LIMIT} > 0) / {wanted:g}"
    return (Group("retention", "1m", (Formula(RETENTION_KEPT.record, share, _INSTANCE),), level=0),)
