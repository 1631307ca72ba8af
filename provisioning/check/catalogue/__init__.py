"""Every check by its name, with what it finds and why. docs/checks.md is written from this."""

from __future__ import annotations

from collections.abc import Mapping

from provisioning.check.catalogue.model import Check
from provisioning.check.catalogue.promql import KINDS, MATCHING, PROMQL, SELECTORS, WINDOWS
from provisioning.check.catalogue.rest import DASHBOARDS, MIXINS, SQL, TOGETHER, TOOLS, WAIVERS
from provisioning.check.catalogue.rules import ALERTS, RULES

__all__ = [
    "ALERTS",
    "CHECKS",
    "DASHBOARDS",
    "KINDS",
    "MATCHING",
    "MIXINS",
    "RULES",
    "SELECTORS",
    "SQL",
    "TOGETHER",
    "TOOLS",
    "WAIVERS",
    "WINDOWS",
    "Check",
]

CHECKS: Mapping[str, Check] = {
    check.name: check for check in (*PROMQL, *RULES, *ALERTS, *DASHBOARDS, *SQL, *TOGETHER, *MIXINS, *TOOLS, *WAIVERS)
}
