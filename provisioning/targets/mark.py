"""Whose a file is: a first line that its reader passes over."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORDS = "Owned by {owner}: its next apply overwrites what is changed here."
_OWNER = re.compile(r"Owned by ([a-z][a-z0-9-]{0,39}): ")


@dataclass(frozen=True)
class Comment:
    """What makes a line a comment in a kind of file."""

    before: str
    after: str = ""

    def owner(self, body: bytes) -> str:
        """Whose mark the contents carry, empty when nobody's."""
        line = body.split(b"\n", 1)[0].decode(errors="replace")
        found = _OWNER.match(line.removeprefix(self.before)) if line.startswith(self.before) else None
        return found[1] if found else ""

    def marked(self, body: bytes, owner: str) -> bytes:
        """The same contents with the mark of an owner, or with nobody's when it is empty."""
        if self.owner(body):
            body = body.partition(b"\n")[2]
        return f"{self.before}{_WORDS.format(owner=owner)}{self.after}\n".encode() + body if owner else body


YAML = Comment("# ")
TEMPLATE = Comment("{{/* ", " */}}")
