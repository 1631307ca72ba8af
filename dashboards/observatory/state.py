"""The answer first: each step from a source to a person in words, as its alert sees it."""

from __future__ import annotations

from alert_rules import exporter, sources, watching
from contract.settings import Settings
from dashboards.lib.judged import lights
from dashboards.lib.panel import Panel


def state(settings: Settings) -> Panel:
    return lights(
        "state",
        "From the sources to a person, now",
        "Whether targets answer, the exporter reaches its sources, figures are new, counts are right, the ledger of model "
        "calls keeps up, rules are evaluated, and messages are delivered. Begin with the first that is not OK: what comes "
        "after it may only follow from it. The rows below are in the same order, and say since when.",
        {
            "Targets": (sources.TARGET_DOWN, "no answer"),
            "Sources": (exporter.SOURCE_DOWN, "not reached"),
            "Figures": (exporter.DATA_TOO_OLD, "too old"),
            "Counts": (exporter.ROLLUP_DRIFT_FOUND, "differ"),
            "Ledger": (exporter.LEDGER_BEHIND, "behind"),
            "Rules": (watching.RULES_FAIL, "failing"),
            "Messages": (watching.UNDELIVERED, "failing"),
        },
        settings,
        ("unknown", "what would say it is not there, or not scraped"),
    )
