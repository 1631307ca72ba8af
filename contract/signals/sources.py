"""The sources of the figures: whether they answer, and how old is what they said."""

from __future__ import annotations

from contract.signals.model import Level

TARGET_UP = Level(
    "target_up", "Target answers", "1 while a scrape target answers, 0 while it does not", "none", "up", operator="min"
)
TARGETS_UP = Level(
    "targets_up", "Any target answers", "1 while at least one scrape target of a job answers", "none", "up", operator="max"
)
