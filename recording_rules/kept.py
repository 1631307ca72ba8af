"""Recorded series that no panel, alert or other rule reads, and that are there for people: name, and what they are for."""

from __future__ import annotations

FOR_PEOPLE: dict[str, str] = {}
