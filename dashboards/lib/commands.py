"""Commands that a row of a table gives to copy: Grafana's panels change nothing themselves, `observatory` does."""

from __future__ import annotations


def command(words: str, **values: str) -> str:
    """An SQL expression for a command line, its `{names}` filled with SQL expressions of texts, quoted for a shell."""
    parts: list[str] = []
    rest = words
    while rest:
        before, brace, after = rest.partition("{")
        parts += [f"$${before}$$"] if before else []
        if brace:
            name, _, rest = after.partition("}")
            parts.append(f"$$'$$ || replace({values[name]}, $$'$$, $$'\\''$$) || $$'$$")
        else:
            rest = ""
    return " || ".join(parts)
