"""Which functions are made in schema `analytics` for the tables that there are: told from those of others by their names."""

from __future__ import annotations

import re

from contract.relations import RELATIONS
from exporters.database.mapping import Mapping
from exporters.database.presets import Preset
from exporters.rollups.sources import SOURCES
from exporters.rollups.triggers import trigger_statements

_NAMED = re.compile(r'FUNCTION (?:IF EXISTS )?"analytics"[.]"(\w+)"')


def names() -> set[str]:
    """Those of all sources, of earlier versions as well."""
    mapping = Mapping({relation: Preset() for relation in RELATIONS})
    made = (text.as_string(None) for source in SOURCES.values() for text in trigger_statements(mapping, source))
    return {"news", *(f"count_{source}" for source in SOURCES), *(name for text in made for name in _NAMED.findall(text))}
