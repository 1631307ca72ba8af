"""SQL as far as the dashboards' tests look into it: which of its SELECTs may give as many rows as a table has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise, takewhile

_TOKEN = re.compile(r"--[^\n]*|\$\$.*?\$\$|'(?:[^']|'')*'|(\"[^\"]+\"|[A-Za-z_$][\w$.]*|[(),])", re.S)
_AGGREGATES = {
    "count", "sum", "avg", "min", "max", "array_agg", "string_agg", "jsonb_agg", "bool_or", "bool_and", "percentile_cont",
    "mode", "regr_slope",
}  # fmt: skip
_MODIFIERS = {"filter", "within", "group", "over"}
"""What may follow an aggregate; with OVER it stands beside every row."""
_MADE = {"generate_series", "unnest", "values"}
"""What gives rows without a table."""

Block = Sequence[object]
"""Words and signs in their order; what stands between parentheses is a block of its own."""


def bounded(sql: str) -> bool:
    """Whether a statement adds rows together or takes some of them, somewhere between the tables that it reads and its rows.

    A join to a further table is taken for one by its key.
    """
    tokens = [found[1].lower() for found in _TOKEN.finditer(sql) if found[1]]
    return _bounded(_nested(tokens), {})


def _nested(tokens: list[str]) -> list[object]:
    """Tokens, those between parentheses as a list of their own."""
    levels: list[list[object]] = [[]]
    for token in tokens:
        if token == "(":
            levels.append([])
        elif token == ")":
            levels[-2].append(levels.pop())
        else:
            levels[-1].append(token)
    [whole] = levels
    return whole


def _bounded(block: Block, named: Mapping[str, bool]) -> bool:
    if block and block[0] == "with":
        block, named = _after_names(block, named)
    places = [-1, *(place for place, part in enumerate(block) if part == "union"), len(block)]
    parts = [block[first + 1 : last] for first, last in pairwise(places)]
    if len(parts) > 1:
        return "limit" in parts[-1] or all(_bounded(part[1:] if part[0] == "all" else part, named) for part in parts)
    if "limit" in block or "group" in block or _aggregates(block) or "from" not in block:
        return True
    read = block[list(block).index("from") + 1]
    if isinstance(read, list):
        return _bounded(read, named)
    return read in _MADE or named.get(str(read), False)


def _after_names(block: Block, named: Mapping[str, bool]) -> tuple[Block, Mapping[str, bool]]:
    """The statement after its WITH, and which of the named ones are bounded. One that reads itself grows from its beginning."""
    known, place = dict(named), 1 + (block[1] == "recursive")
    while True:
        name = str(block[place])
        place += next(n for n, part in enumerate(block[place:]) if part == "as") + 1
        place += next(n for n, part in enumerate(block[place:]) if isinstance(part, list))
        inner = block[place]
        assert isinstance(inner, list)
        known[name] = _bounded(inner, known | {name: True})
        place += 1
        if place >= len(block) or block[place] != ",":
            return block[place:], known
        place += 1


def _aggregates(block: Block) -> bool:
    """Whether rows are added together here, and not in a SELECT within."""
    for place, part in enumerate(block):
        if isinstance(part, list):
            if part[:1] != ["select"] and part[:1] != ["with"] and _aggregates(part):
                return True
        elif part in _AGGREGATES and isinstance(block[place + 1] if place + 1 < len(block) else None, list):
            after = [word for word in block[place + 2 :] if not isinstance(word, list)]
            if "over" not in takewhile(_MODIFIERS.__contains__, after):
                return True
        elif part == "from":
            return False
    return False
