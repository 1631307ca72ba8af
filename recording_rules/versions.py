"""Newest versions that are recorded as worse than the version before them, each with its name."""

from __future__ import annotations

from contract.signals.model import Leaf, equal
from recording_rules.model import Formula, Group, Recorded

_PAIR, _WHAT = "environment, agent", "environment, agent, measure"
_NEW = equal("side", "new")
# Replicas of the exporter may see a deployment at different moments; then one of the two versions is named.
_WORSE = (
    f"(max by ({_WHAT}) (platform_version_regression_ratio)"
    f" and on ({_WHAT}) max by ({_WHAT}) (platform_regressions_open) > 0)"
    f" * on ({_PAIR}) group_left (version)"
    f" topk by ({_PAIR}) (1, group by ({_PAIR}, version) (platform_version_sample{{{_NEW}}}))"
)
REGRESSIONS = Formula("agent_version:regressions:ratio", _WORSE, ("environment", "agent", "version", "measure"))
VERSION_REGRESSION = Recorded(
    "version_regression",
    "Against the version before",
    "Newest version / the version before it, where the exporter has recorded that it is worse",
    "times",
    record=REGRESSIONS.record,
    read=(
        Leaf("platform_version_regression_ratio"),
        Leaf("platform_regressions_open"),
        Leaf("platform_version_sample", (_NEW,)),
    ),
    carried=REGRESSIONS.labels,
)

GROUPS = (Group("version_regressions", "1m", (REGRESSIONS,), level=0),)
