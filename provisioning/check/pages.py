"""The queries of runbook pages: whoever is woken at night copies them, so they are proved like those of dashboards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from provisioning.check.expressions import Inspector
from provisioning.check.relations import relation_findings
from provisioning.check.sql import sql_findings
from provisioning.findings import Finding

_RECORDED = re.compile(r"\w+:\w+:\w+")
_BLOCK = re.compile(r"^ *```(?P<language>promql|sql)\n(?P<text>.*?)^ *```$", re.M | re.S)


def page_findings(pages: Mapping[str, str], inspector: Inspector) -> Iterator[Finding]:
    """`pages` are the built runbooks by path. Queries are counted from the top of the page."""
    for path, page in pages.items():
        for number, block in enumerate(_BLOCK.finditer(page), start=1):
            place = f"runbook {PurePosixPath(path).stem}, query {number}"
            if block["language"] == "promql":
                yield from inspector.findings(place, block["text"].strip())
            else:
                yield from relation_findings(place, block["text"])
                yield from sql_findings(place, block["text"])


def recorded_in(texts: Iterable[str]) -> frozenset[str]:
    """Names of recorded series that texts mention."""
    return frozenset(word for text in texts for word in _RECORDED.findall(text))
