"""Sub-selects that PostgreSQL asks anew for each row: those within an expression that name a row of the query around them.

A join answers for all rows at once. EXISTS, IN and ANY in a condition are joins to PostgreSQL; so is LATERAL, which says in so
many words that few rows each look something up. A sub-select of a row's own values (`unnest(t.tools)`) reads no relation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from provisioning.check.sql import Token, aliased, is_name, line_of, tokens_of
from provisioning.findings import Finding, error

PER_ROW = "sql/per-row"
_CLAUSES = frozenset({"select", "from", "where", "group", "having", "window", "order", "limit", "offset"})
_ANEW = ("union", "intersect", "except")
_CONDITIONS = frozenset({"from", "where", "having"})
"""Clauses whose EXISTS, IN and ANY are joined; those of FROM stand behind ON."""
_JOINED = ("exists", "in", "any", "some")
_TABLES_BEHIND = frozenset({"from", "join", "lateral", ","})


@dataclass(eq=False)
class _Select:
    """A SELECT that is open. `made` are the aliases of its FROM, `named` those that it and what it encloses name.

    `asked` are the sub-selects in its expressions that name what they do not make.
    """

    at: int = 0
    asks: bool = False
    clause: str = ""
    reads: bool = False
    made: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    asked: list[_Select] = field(default_factory=list)

    def close(self, around: _Select) -> Iterator[int]:
        """Where this and what it encloses ask for each row of this; the rest is left to the SELECT `around`."""
        per_row = [one for one in self.asked if one.named & self.made]
        yield from (one.at for one in per_row)
        around.asked += [one for one in self.asked if one not in per_row]
        self.named -= self.made
        around.named |= self.named
        around.reads |= self.reads
        if self.asks and self.reads:
            around.asked.append(self)


def per_row_findings(place: str, text: str) -> Iterator[Finding]:
    """The sub-selects of a sound statement that are asked for every row. A column without an alias counts as the own one."""
    for at in sorted(_asked_for_each_row(tokens_of(text))):
        found = f"line {line_of(text, at)}: a sub-select that is asked anew for each row"
        yield error(place, found, "join it; or CROSS JOIN LATERAL, where only a few rows ask", PER_ROW)


def _asked_for_each_row(tokens: Sequence[Token]) -> Iterator[int]:
    outside, whole = _Select(), _Select()
    selects = [outside, whole]
    brackets: list[_Select | None] = [whole]
    before = Token("", "", 0)
    for index, token in enumerate(tokens):
        here = selects[-1]
        if token.text in ("(", "["):
            asks = _asks(before, here)
            begins = _opens(tokens[index + 1], "select", "with") or (not asks and _opens(tokens[index + 1], "("))
            brackets.append(_Select(token.at, asks) if begins else None)
            selects += [one for one in brackets[-1:] if one]
        elif token.text in (")", "]"):
            if brackets.pop():
                selects.pop()
                yield from here.close(selects[-1])
            if selects[-1].clause == "from":
                selects[-1].made |= _name_behind(tokens, index + 1)
        elif brackets[-1] and token.kind != "name":
            if token.text in _ANEW:
                here.clause = ""
            elif token.text in _CLAUSES and before.text not in (".", "distinct", "within"):
                here.clause = token.text
            if here.clause == "from" and token.text in ("from", "join", ","):
                tables = dict(aliased(tokens, index + 1))
                here.made |= tables.keys()
                here.reads |= bool(tables)
        if token.text == "." and before.kind in ("word", "name"):
            here.named.add(before.text)
        before = token
    yield from whole.close(outside)


def _opens(token: Token, *words: str) -> bool:
    return token.kind != "name" and token.text in words


def _asks(before: Token, around: _Select) -> bool:
    """Whether a SELECT that begins here is part of an expression, and no table, WITH query, branch of a UNION, or join."""
    if not around.clause or (around.clause == "from" and before.text in _TABLES_BEHIND):
        return False
    return not (before.text in _JOINED and around.clause in _CONDITIONS)


def _name_behind(tokens: Sequence[Token], index: int) -> set[str]:
    """The alias of what was closed just before: of a table that is a SELECT, or a function."""
    named = tokens[index : index + 2]
    named = named[1:] if named and named[0].text == "as" else named[:1]
    return {token.text for token in named if is_name(token)}
