"""Whether a text of the configuration is one SQL expression, or one query: nothing ends it early, what opens closes."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_TABLE = re.compile(r"({0})[.]({0})".format(r'[A-Za-z_][A-Za-z0-9_$]*|"(?:[^"]|"")+"'))
_PIECE = re.compile(
    r"(?P<text>[Ee]?'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")+\")|(?P<comment>--|/\*)|(?P<dollar>\$[A-Za-z_]*\$)"
    r"|(?P<open>[(\[])|(?P<close>[)\]])|(?P<end>;)|(?P<comma>,)|(?P<quote>['\"])|(?P<brace>[{}])",
)
_CONSTANT = re.compile(r"(?:'(?:[^']|'')*'|[+-]?[0-9]+(?:[.][0-9]+)?|(?i:true|false|null))(?:::[A-Za-z_ ]+)?")
_WORDS = frozenset({"null", "true", "false", "current_timestamp", "current_date", "current_user", "localtimestamp"})
_PAIRS = {")": "(", "]": "["}


def is_name(text: str) -> bool:
    """Whether a text is a plain column name, not an expression."""
    return bool(_NAME.fullmatch(text)) and text.lower() not in _WORDS


def is_constant(text: str) -> bool:
    """Whether an expression is a constant: a text, a number or a truth value."""
    return bool(_CONSTANT.fullmatch(text.strip()))


def split_name(text: str) -> tuple[str, str] | None:
    """Schema and table of `schema.table`, each in double quotes where it is no plain name; None for anything else."""
    found = _TABLE.fullmatch(text)
    if found is None:
        return None
    schema, table = (part[1:-1].replace('""', '"') if part.startswith('"') else part for part in found.groups())
    return schema, table


def expression_problem(text: str) -> str:
    """What keeps a text from being one SQL expression, in words; "" when nothing does."""
    return _problem(text, "one expression") or (
        "it is empty; write null for a column that does not exist" if not text.strip() else ""
    )


def query_problem(text: str) -> str:
    """What keeps a text from being one query, in words; "" when nothing does."""
    if not re.match(r"\s*(select|with|table|values)\b", text, re.IGNORECASE):
        return "not a query; it begins with SELECT or WITH"
    return _problem(text, "one query", commas=True)


def _problem(text: str, wanted: str, commas: bool = False) -> str:
    opened: list[str] = []
    for piece in _PIECE.finditer(text):
        sign = piece[0]
        match piece.lastgroup:
            case "end":
                return f"{text!r} has a semicolon; want {wanted}"
            case "comment":
                return f"{text!r} has a comment, which could hide what follows it; want {wanted}"
            case "dollar":
                return f"{text!r} has a text in dollar signs; write it in single quotes"
            case "quote":
                return f"{text!r} has a quote that is not closed"
            case "comma" if not opened and not commas:
                return f"{text!r} has a comma outside of brackets; want {wanted}"
            case "open":
                opened.append(sign)
            case "close":
                if not opened or opened.pop() != _PAIRS[sign]:
                    return f"{text!r} closes a bracket that was not opened"
    return f"{text!r} opens a bracket that is not closed" if opened else ""
