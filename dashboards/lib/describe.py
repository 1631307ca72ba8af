"""What is added to the description of every panel: where its figures come from, and which filters act on it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from contract.analytics import readable_names
from contract.catalogue import series_catalogue

_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_TABLE = re.compile(r"\b(?:app|analytics)\.[a-z_]+")
_RECORDED = re.compile(r"\w+:\w+:\w+")
"""Recorded series are called level:metric:operation, and nothing else is."""
_BUILT_IN = ("ALERTS", "ALERTS_FOR_STATE")


def read_series(texts: Iterable[str]) -> list[str]:
    """Names of the series (scraped, recorded, of Prometheus itself) that queries read, sorted."""
    known = series_catalogue().keys() | set(_BUILT_IN)
    return sorted({name for text in texts for name in _NAME.findall(text) if name in known or _RECORDED.fullmatch(name)})


def read_tables(texts: Iterable[str]) -> list[str]:
    """Names of the platform's tables and of views of schema analytics that queries read, sorted."""
    known = readable_names()
    return sorted({name for text in texts for name in _TABLE.findall(text) if name in known})


def acting(texts: Iterable[str], filters: Iterable[str]) -> list[str]:
    """Which of a tab's filters act on queries. A department acts through the list of its agents."""
    found = {name for text in texts for name in re.findall(r"\$\{?(\w+)", text)}
    if "agent" in found:
        found.add("department")
    return [name for name in filters if name in found]


@lru_cache(maxsize=4096)
def provenance(texts: tuple[str, ...], filters: tuple[str, ...]) -> str:
    """One or two sentences in Markdown. Empty for a panel without queries. Most are as in another configuration."""
    if not texts:
        return ""
    parts = []
    for word, names in (("Metrics", read_series(texts)), ("Tables", read_tables(texts))):
        if names:
            parts.append(f"{word}: {', '.join(f'`{name}`' for name in names)}.")
    active = acting(texts, filters)
    idle = [name for name in filters if name not in active]
    if active:
        parts.append(f"Filtered by {_listed(active)}.")
    if idle:
        parts.append(f"Not filtered by {_listed(idle)}.")
    return " ".join(parts)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
