"""SQL read without a database: quotes and brackets, the order of clauses, and columns behind the aliases of relations.

It knows less than PostgreSQL: `--database` and `observatory doctor` ask that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import NamedTuple

from contract.analytics import PERSONAL, READABLE
from contract.relations import RELATIONS
from provisioning.findings import Finding, closest, error

SYNTAX, COLUMN = "sql/syntax", "sql/column"
_TOKEN = re.compile(
    r"--[^\n]*|/\*.*?\*/|(?P<text>[eE]?'(?:[^']|'')*'|\$(\w*)\$.*?\$\2\$)|(?P<name>\"(?:[^\"]|\"\")+\")"
    r"|(?P<word>[A-Za-z_][\w$]*)|(?P<number>\d[\w.]*)|(?P<sign>::|[<>=!|&@#~^*/%+-]+|[()\[\],.;:])|(?P<wrong>\S)",
    re.S,
)
_ORDER = ("select", "from", "where", "group", "having", "window", "order", "limit", "offset", "fetch")
"""Clauses of a SELECT in the only order that there is; LIMIT and OFFSET may stand either way."""
_ANEW = ("union", "intersect", "except")
_AFTER_FROM = ("from", "join")
_NO_ALIAS = frozenset(
    {*_ORDER, *_ANEW, "on", "using", "join", "left", "right", "full", "inner", "cross", "natural", "lateral", "as", "set"}
    | {"tablesample", "with", "and", "or", "then", "when", "else", "end", "returning", "for"}
)


class Token(NamedTuple):
    """A word in lower case, a sign, or a value, its kind, and where it begins in the statement."""

    text: str
    kind: str
    at: int


@dataclass
class _Level:
    """What is open since where: a bracket, and the clauses that its SELECT has had."""

    at: int
    clause: int = -1
    begun: str = ""
    function: str = ""
    seen: list[str] = field(default_factory=list)


def sql_findings(place: str, text: str) -> Iterator[Finding]:
    """What PostgreSQL would refuse of a statement, as far as it can be seen."""
    tokens = tokens_of(text)
    broken = [token for token in tokens if token.kind == "wrong"]
    for token in broken[:1]:
        what = "a quote that does not end" if token.text in "'\"" else f"{token.text!r} is no SQL"
        yield error(place, f"line {line_of(text, token.at)}: {what}", "close it, or leave it away", SYNTAX)
    if not broken:
        faults = list(_shape(tokens))
        yield from (error(place, f"line {line_of(text, at)}: {said}", remedy, SYNTAX) for at, said, remedy in faults)
        if not faults:
            yield from _columns(place, text, tokens)


@lru_cache(maxsize=2048)
def tokens_of(text: str) -> tuple[Token, ...]:
    """A statement without blanks and comments; what is no SQL is of the kind `wrong`."""
    return tuple(_tokens(text))


def line_of(text: str, at: int) -> int:
    """The number of a line, from 1, by a place in the text."""
    return text.count("\n", 0, at) + 1


def _tokens(text: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup
        if kind:
            word = found[0].lower() if kind == "word" else found[0].strip('"') if kind == "name" else found[0]
            yield Token(word, kind, found.start())


def _shape(tokens: Sequence[Token]) -> Iterator[tuple[int, str, str]]:
    levels = [_Level(0)]
    before = Token("", "", 0)
    for token in tokens:
        level = levels[-1]
        if token.text in ("(", "["):
            levels.append(_Level(token.at, begun=token.text, function=before.text if before.kind == "word" else ""))
        elif token.text in (")", "]"):
            if level.begun != {")": "(", "]": "["}[token.text]:
                yield token.at, f"{token.text} closes nothing", "remove it"
                return
            levels.pop()
        elif token.kind == "word" and token.text in _ANEW:
            level.clause, level.seen = -1, []
        elif token.kind == "word" and token.text in _ORDER and before.text != "." and _begins(token, before, level):
            position = min(_ORDER.index(token.text), _ORDER.index("limit"))
            if position < level.clause or token.text in level.seen:
                yield (
                    token.at,
                    f"{token.text.upper()} after {level.seen[-1].upper()}",
                    "WITH, SELECT, FROM, WHERE, GROUP BY, …",
                )
                return
            level.clause = position
            level.seen.append(token.text)
        before = token
    if len(levels) > 1:
        yield levels[-1].at, f"{levels[-1].begun} is never closed", "close it"


def _begins(token: Token, before: Token, level: _Level) -> bool:
    """Whether a word begins a clause: not in `extract(… from …)`, `IS DISTINCT FROM`, `OVER (ORDER BY …)` and the like."""
    if level.begun and not level.seen and token.text != "select":
        return False
    if token.text == "from":
        return before.text != "distinct" and level.function not in ("extract", "trim", "substring", "overlay")
    if token.text == "group":
        return before.text != "within"
    return not (token.text == "select" and level.seen == [] and before.text in ("insert", "grant"))


def _columns(place: str, text: str, tokens: Sequence[Token]) -> Iterator[Finding]:
    """`alias.column` of a relation that the contract describes. An alias that means two things is left to PostgreSQL."""
    known = _known_columns()
    aliases: dict[str, set[str]] = {}
    for index, token in enumerate(tokens):
        if token.text in _AFTER_FROM or token.text == ",":
            for alias, relation in aliased(tokens, index + 1):
                aliases.setdefault(alias, set()).add(relation)
        elif token.text == ")":
            named = tokens[index + 1 : index + 3]
            named = named[1:] if named and named[0].text == "as" else named
            if named and named[0].kind in ("word", "name"):
                aliases.setdefault(named[0].text, set()).add("(…)")
    own = {tokens[n].text for n in range(len(tokens) - 2) if tokens[n + 1].text == "as" and tokens[n + 2].text == "("}
    for index in range(len(tokens) - 2):
        before, point, column = tokens[index : index + 3]
        relations = aliases.get(before.text, set())
        if point.text != "." or column.kind not in ("word", "name") or len(relations) != 1 or before.text in own:
            continue
        if index and tokens[index - 1].text == ".":
            continue
        (relation,) = relations
        columns = known.get(relation)
        is_call = tokens[index + 3 : index + 4] and tokens[index + 3].text in ("(", ".")
        if columns is not None and column.text not in columns and not is_call:
            found = f"line {line_of(text, column.at)}: {relation} has no column {column.text}"
            yield error(place, found, closest(column.text, columns), COLUMN)


def is_name(token: Token) -> bool:
    """Whether a relation or an alias may be called so: what is quoted always may."""
    return token.kind == "name" or (token.kind == "word" and token.text not in _NO_ALIAS)


def aliased(tokens: Sequence[Token], index: int) -> Iterator[tuple[str, str]]:
    """The alias and the name of a relation that is written out here; without an alias its own last name."""
    names = tokens[index : index + 5]
    if not names or not is_name(names[0]):
        return
    if len(names) > 2 and names[1].text == ".":
        relation, rest = f"{names[0].text}.{names[2].text}", names[3:]
    else:
        relation, rest = names[0].text, names[1:]
    if rest and rest[0].text == "as":
        rest = rest[1:]
    if rest and rest[0].text in ("(", "."):
        return
    named = rest[0].text if rest and is_name(rest[0]) else ""
    yield named or relation.rpartition(".")[2], relation


@cache
def _known_columns() -> dict[str, frozenset[str]]:
    described = {relation.qualified: frozenset(column.name for column in relation.columns) for relation in RELATIONS.values()}
    return described | {one.qualified: frozenset(one.columns) for one in (*READABLE.values(), *PERSONAL.values())}
