"""The built runbooks as pages, with an anchor on every heading."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")  # no longer than file systems allow


def names(folder: Path) -> list[str]:
    """Names of the runbooks, without `.md`."""
    return sorted(path.stem for path in folder.glob("*.md"))


def find(folder: Path, name: str) -> Path | None:
    """The file of a runbook. A name that is more than a name (a path, for example) finds nothing."""
    name = name.removesuffix(".md")
    path = folder / f"{name}.md"
    return path if _NAME.fullmatch(name) and path.is_file() else None


def html(markdown: str) -> str:
    """HTML of a runbook. Raw HTML in the text is shown, not obeyed."""
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    tokens = parser.parse(markdown)
    taken: dict[str, int] = {}
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open":
            slug = _slug(inline.content)
            count = taken[slug] = taken.get(slug, -1) + 1
            heading.attrSet("id", f"{slug}-{count}" if count else slug)
    return str(parser.renderer.render(tokens, parser.options, {}))


def _slug(heading: str) -> str:
    """The anchor that GitHub gives a heading: lower case, punctuation dropped, spaces as hyphens."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\- ]", "", heading.strip().lower()))
