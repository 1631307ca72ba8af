"""For each tab, what its figures from PostgreSQL and Langfuse have to be, from the words of their definitions alone.

A module has `FIGURES`: by panel a function that takes the still moment and fails unless the panel shows what plain SQL on the
platform's tables or sums over Langfuse's rows give. It knows nothing of the contract or of the dashboards but the panel's key.
`FAULTS` are three wrong questions, each of which its function has to notice.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

from tests.integration.moment import Moment

Check = Callable[[Moment], None]


class Fault(NamedTuple):
    """A word of a panel's question, and the wrong one in its place."""

    panel: str
    right: str
    wrong: str


_MODULES = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
FIGURES: dict[str, Check] = {key: check for module in _MODULES for key, check in module.FIGURES.items()}
FAULTS: tuple[Fault, ...] = tuple(fault for module in _MODULES for fault in module.FAULTS)
