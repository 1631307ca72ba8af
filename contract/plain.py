"""The configuration as plain data, for processes that read it and check nothing.

What checks it takes a third of the memory of a process that runs for months. So another process reads and checks the files, and
hands over what it found as JSON; here that gets the attributes of `Settings`, and none of its methods.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from contract.settings import Settings

SECTIONS = ("sources", "scrape", "exporter", "database", "thresholds", "environments", "budgets", "my_usage")
"""What is handed over: what the exporter reads. JSON has words for all of it, unlike for the decimals and dates of rules."""


class _Section(dict[str, Any]):
    """A section, whose fields are attributes; or a table by names, which is read as a dict is."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def written(settings: Settings) -> str:
    """These sections as JSON, for `plain`."""
    return settings.model_dump_json(include=set(SECTIONS))


def plain(text: str) -> Settings:
    """Settings that were `written`, as plain data, and no others of their fields. Raises ValueError for what is no JSON."""
    return cast("Settings", json.loads(text, object_hook=_section))


def _section(found: dict[str, Any]) -> _Section:
    return _Section({name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})
