"""What alerts say: annotations, owner, and templates that can be filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator

import promql_parser as promql

from provisioning.check.labels import surviving
from provisioning.check.lint.measures import NUMBER, unit_of
from provisioning.check.lint.model import Fault, Rule, RuleBook
from provisioning.check.tree import COMPARISONS, SETS, every, is_scalar, unwrapped
from provisioning.findings import closest

_NEEDED = ("summary", "description", "runbook_url", "dashboard_url")
_EXTERNAL = re.compile(r"\$externalLabels\.(\w+)|\.ExternalLabels\.(\w+)")
_LABEL = re.compile(r"\$labels\.(\w+)|\.Labels\.(\w+)")
_ACTION = re.compile(r"\{\{-?(.*?)-?\}\}", re.S)
_TEXT = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`')
_WORD = re.compile(r"(?<![\w$.])[A-Za-z]\w*")
_VALUE = re.compile(r"\$value\b|\.Value\b")
_BARE = re.compile(r"\s*(\$value|\.Value)\s*")
_FUNCTIONS = frozenset(
    {"and", "or", "not", "len", "index", "slice", "print", "printf", "println", "html", "js", "urlquery", "call"}
    | {"eq", "ne", "lt", "le", "gt", "ge", "if", "else", "end", "range", "with", "template", "define", "block", "break"}
    | {"continue", "nil", "true", "false", "query", "first", "label", "value", "strvalue", "sortByLabel", "stripPort"}
    | {"stripDomain", "args", "tmpl", "safeHtml", "match", "title", "toUpper", "toLower", "graphLink", "tableLink"}
    | {"reReplaceAll", "humanize", "humanize1024", "humanizeDuration", "humanizePercentage", "humanizeTimestamp", "toTime"}
    | {"parseDuration", "externalURL", "pathPrefix"}
)
"""Keywords and functions of Prometheus' templates, as of 2.42; later ones are not to be relied on."""
_WANTED = {
    "humanizePercentage": "ratio",
    "humanizeDuration": "seconds",
    "humanizeTimestamp": "timestamp",
    "toTime": "timestamp",
    "humanize1024": "bytes",
    "USD": "usd",
}
"""What a value has to be for the function, or word, that stands with it."""


def missing_annotation(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    for alert in book.alerts:
        for key in _NEEDED:
            if not alert.annotations.get(key):
                yield alert.place, Fault(f"annotation {key} is missing", "the person who is told needs it")


def team(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """The team of the rule, or, where the rule names none, one that comes with the series."""
    for alert in book.alerts:
        name = alert.labels.get("team")
        if name is None and alert.node is not None:
            there = surviving(alert.node, book.house.known, certain=True)
            if there is None or "team" in there:
                continue
        if name not in book.teams:
            yield alert.place, Fault(f"team {name} is not in the settings", closest(str(name), book.teams))


def labels_survive(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """A template may only use labels that every series of the expression has, and external ones that the server has."""
    for alert in book.alerts:
        for key, text in _texts(alert):
            for label in sorted({first or second for first, second in _EXTERNAL.findall(text)} - book.external):
                yield f"{alert.place}, {key}", Fault(f"the server has no external label {label}", closest(label, book.external))
        there = surviving(alert.node, book.house.known, certain=True) if alert.node is not None else None
        if there is None:
            continue
        has_absent = any(isinstance(node, promql.Call) and node.func.name.startswith("absent") for node in _nodes(alert))
        for key, text in _texts(alert):
            for label in sorted({first or second for first, second in _LABEL.findall(text)} - there - alert.labels.keys()):
                remedy = "absent() keeps the labels of = matchers only" if has_absent else closest(label, there)
                yield f"{alert.place}, {key}", Fault(f"label {label} does not survive the expression", remedy)


def functions(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    for alert in book.alerts:
        for key, text in _texts(alert):
            place = f"{alert.place}, {key}"
            rest = _ACTION.sub("", text)
            if "{{" in rest or "}}" in rest:
                yield place, Fault("its braces do not match", "{{ … }}")
            for action in _ACTION.findall(text):
                bare = _TEXT.sub('""', action)
                for word in sorted(set(_WORD.findall(bare)) - _FUNCTIONS):
                    yield place, Fault(f"templates have no function {word}", closest(word, _FUNCTIONS))


def units(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """A value that is written in another unit than it has."""
    for alert in book.alerts:
        unit = unit_of(alert.node, book.house.known) if alert.node is not None else None
        if unit is None or unit == NUMBER:
            continue
        for key, text in _texts(alert):
            for action in _ACTION.findall(text):
                words = set(re.findall(r"\w+", action)) if _VALUE.search(action) else set()
                for word in sorted(words & _WANTED.keys()):
                    if unit.removesuffix("/s") != _WANTED[word]:
                        found = f"{word} is for {_WANTED[word]}, and the value is in {unit}"
                        yield f"{alert.place}, {key}", Fault(found, _remedy(unit))


def _remedy(unit: str) -> str:
    fitting = [word for word, wanted in _WANTED.items() if wanted == unit]
    if unit == "percent":
        return "humanizePercentage multiplies by 100 itself: leave it out of the expression"
    return fitting[0] if fitting else "humanize, with the unit written after it"


def value_in_label(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """Labels are what an alert is known by: one that changes with the value makes a new alert each time."""
    for alert in book.alerts:
        for key, text in alert.labels.items():
            if any(_VALUE.search(action) for action in _ACTION.findall(str(text))):
                yield f"{alert.place}, {key}", Fault("a label with the value in it", "put it into an annotation")


def raw_value(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """The value of a rate or a quotient has more digits than anybody reads."""
    for alert in book.alerts:
        if alert.node is None or not any(_has_digits(node) for node in _nodes(alert)):
            continue
        for key, text in alert.annotations.items():
            if any(_BARE.fullmatch(action) for action in _ACTION.findall(str(text))):
                yield f"{alert.place}, {key}", Fault("the value of a rate as it is", "{{ $value | humanize }}", "warning")


def _has_digits(node: promql.Expr) -> bool:
    return isinstance(node, promql.Call) and node.func.name in ("rate", "irate", "deriv")


def empty_value(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """`bool` makes a value of 0 or 1 for every series, so the alert always fires and its value says nothing."""
    for alert in book.alerts:
        node = unwrapped(alert.node) if alert.node is not None else None
        if isinstance(node, promql.BinaryExpr) and node.modifier and node.modifier.return_bool:
            yield alert.place, Fault("a comparison with bool always gives a value, so this always fires", "leave bool away")
        elif isinstance(node, promql.Call) and node.func.name.startswith("absent"):
            for key, text in _texts(alert):
                if any(_VALUE.search(action) for action in _ACTION.findall(text)):
                    found = f"$value is always 1 for {node.func.name}()"
                    yield f"{alert.place}, {key}", Fault(found, "say since when instead", "warning")


def no_condition(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """Every series of an expression is an alert that fires; without a condition it fires as long as there are series.

    An alert on a number is meant to fire always: it shows that alerts arrive.
    """
    for alert in book.alerts:
        if alert.node is None or not any(isinstance(node, promql.VectorSelector) for node in _nodes(alert)):
            continue
        if not any(_is_condition(node) for node in _nodes(alert)):
            yield alert.place, Fault("fires as long as there are series: it compares nothing", "… > limit")


def _is_condition(node: promql.Expr) -> bool:
    if isinstance(node, promql.BinaryExpr):
        return str(node.op) in COMPARISONS | (SETS - {"or"}) and not (is_scalar(node.lhs) and is_scalar(node.rhs))
    return isinstance(node, promql.Call) and node.func.name.startswith("absent")


def _nodes(alert: Rule) -> Iterator[promql.Expr]:
    if alert.node is not None:
        yield from every(alert.node)


def _texts(alert: Rule) -> Iterator[tuple[str, str]]:
    yield from ((str(key), str(text)) for key, text in {**alert.annotations, **alert.labels}.items())
