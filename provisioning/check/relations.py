"""SQL reads only what the contract has. The names behind FROM and JOIN are looked at; PostgreSQL proves the rest."""

from __future__ import annotations

from collections.abc import Iterator

from contract.analytics import readable_names
from provisioning.check.sql import tokens_of
from provisioning.findings import Finding, closest, error

_SIGNS = frozenset("().,;")
_WRITES = frozenset({"insert", "update", "delete", "truncate", "drop", "alter", "create", "grant", "copy", "merge"})
_NOT_RELATIONS = frozenset({"lateral", "only", "select", "unnest", "generate_series", "values", "rows"})


def relation_findings(place: str, sql: str) -> Iterator[Finding]:
    """Unknown relations, and statements that change something."""
    words = _words(sql)
    known = readable_names()
    if words and words[0] in _WRITES:
        yield error(place, f"{words[0].upper()} changes data", "panels only read")
    if ";" in words[:-1]:
        yield error(place, "more than one statement", "one SELECT per query")
    own = {words[n] for n in range(len(words) - 1) if words[n + 1] == "as" and n and words[n - 1] in ("with", ",", "recursive")}
    for name in dict.fromkeys(_relations(words)):
        if name not in known and name not in own:
            yield error(place, f"reads {name}, which is not in the contract", closest(name, known))


def relation_names(sql: str) -> list[str]:
    """Names of the relations that a statement reads, each once; `schema.name` where written so."""
    return list(dict.fromkeys(_relations(_words(sql))))


def _words(sql: str) -> list[str]:
    """Names, those in quotes with them, and signs of a statement, in lower case, without comments and texts."""
    return [
        f'"{token.text.lower()}"' if token.kind == "name" else token.text
        for token in tokens_of(sql)
        if token.kind in ("word", "name") or token.text in _SIGNS
    ]


def _relations(words: list[str]) -> Iterator[str]:
    """Names of relations, `schema.name` where written so; functions and sub-selects are left out."""
    depth_of_from: list[bool] = [False]
    for index, word in enumerate(words):
        if word == "(":
            depth_of_from.append(False)
        elif word == ")":
            depth_of_from = depth_of_from[:-1] or [False]
        elif word in ("where", "group", "order", "limit", "union", "select", "having", "on", "window"):
            depth_of_from[-1] = False
        named = word in ("from", "join") and words[index - 1] != "distinct" and not _inside_function(words, index)
        if named or (word == "," and depth_of_from[-1]):
            depth_of_from[-1] = True
            name = _name_at(words, index + 1)
            if name:
                yield name


def _inside_function(words: list[str], index: int) -> bool:
    """`extract(epoch from x)`, `trim(both from x)`, `substring(x from 1)`: a FROM that reads no relation."""
    depth = 0
    for position in range(index - 1, -1, -1):
        if words[position] == ")":
            depth += 1
        elif words[position] == "(":
            if depth == 0:
                return position > 0 and words[position - 1] in ("extract", "trim", "substring", "overlay")
            depth -= 1
        elif words[position] == "select" and depth == 0:
            return False
    return False


def _name_at(words: list[str], index: int) -> str:
    while index < len(words) and words[index] in ("lateral", "only"):
        index += 1
    if index >= len(words) or words[index] in (*_NOT_RELATIONS, "("):
        return ""
    if words[index + 1 : index + 2] == ["."] and index + 2 < len(words):
        name, end = f"{words[index]}.{words[index + 2]}", index + 3
    else:
        name, end = words[index], index + 1
    is_function = words[end : end + 1] == ["("]
    return "" if is_function else name.replace('"', "")
