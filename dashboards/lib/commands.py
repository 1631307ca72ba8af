"""Commands that a row of a table gives to copy: Grafana's panels change nothing themselves, `observatory` does."""

from __future__ import annotations

_QUOTE, _ESCAPED = "''''", r"'''\'''''"
"""A single quote, and what a shell takes for one within single quotes, as SQL writes them."""


def command(words: str, **values: str) -> str:
    """An SQL expression for a command line, its `{names}` filled with SQL expressions of texts, quoted for a shell."""
    parts: list[str] = []
    rest = words
    while rest:
        before, brace, after = rest.partition("{")
        parts += [f"'{before}'"] if before else []
        name, _, rest = after.partition("}")
        if brace:
            parts.append(f"{_QUOTE} || replace({values[name]}, {_QUOTE}, {_ESCAPED}) || {_QUOTE}")
    return " || ".join(parts)
