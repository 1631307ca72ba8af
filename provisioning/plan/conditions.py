"""How one alert rule differs from another of the same name, in the words of somebody on call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import promql_parser as promql

from alert_rules import wording
from alert_rules.catalogue import ALERTS
from alert_rules.model import Alert
from contract.values import duration_seconds
from provisioning.check.tree import COMPARISONS, every, number, unwrapped

Rule = Mapping[str, Any]

_SIDES = {">": "above", ">=": "from", "<": "below", "<=": "up to", "==": "at", "!=": "at anything but"}
_TURNED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
_ENVIRONMENT = re.compile(r'environment=~?"[^"]*"')
_CHOICES = 12
"""An alternation with more values than this is a pattern, and not a list."""


def differences(before: Rule, after: Rule) -> Iterator[str]:
    """What is told of one rule that becomes another, each as the end of a sentence that begins with its name."""
    yield from _limits(before, after)
    yield from _hold(_seconds(before, "for"), _seconds(after, "for"))
    yield from _keep(_seconds(before, "keep_firing_for"), _seconds(after, "keep_firing_for"))
    one, other = (rule.get("labels", {}).get("severity", "") for rule in (before, after))
    if one != other:
        yield f"is {other or 'of no severity'} instead of {one or 'of no severity'}"


def environments(rule: Rule) -> tuple[str, ...]:
    """The environments that a rule looks at; empty when it looks at all of them, or nobody can tell."""
    node = _parsed(rule)
    selectors = [part for part in every(node) if isinstance(part, promql.VectorSelector)] if node else []
    named = [
        tuple(matcher.value.split("|"))
        for selector in selectors
        for matcher in selector.matchers.matchers
        if matcher.name == "environment" and matcher.op in (promql.MatchOp.Equal, promql.MatchOp.Re)
    ]
    plain = [
        values for values in named if len(values) <= _CHOICES and all(value.replace("-", "").isalnum() for value in values)
    ]
    return plain[0] if plain else ()


@dataclass(frozen=True)
class _Condition:
    """Something that is held against a number. `what` is the PromQL of it."""

    what: str
    operator: str
    limit: float


def _limits(before: Rule, after: Rule) -> Iterator[str]:
    if before.get("expr") == after.get("expr"):
        return
    one, other = _conditions(before), _conditions(after)
    if not one or not other or [_question(held) for held in one] != [_question(held) for held in other]:
        yield "asks another question"
        return
    about = _abouts(str(after.get("alert", "")), len(other))
    for place, (was, now) in enumerate(zip(one, other, strict=True)):
        if was.limit != now.limit:
            unit, words = about[place]
            yield words.format(
                side=_SIDES[now.operator],
                now=wording.shown(unit, now.limit) if unit else wording.decimal(now.limit),
                was=wording.shown(unit, was.limit) if unit else wording.decimal(was.limit),
            )


def _question(condition: _Condition) -> tuple[str, str]:
    """What is asked, wherever: another choice of environments is told as such."""
    return _ENVIRONMENT.sub("", condition.what), condition.operator


def _conditions(rule: Rule) -> list[_Condition]:
    """The conditions that have to hold together; none when the expression is of another form."""
    node = _parsed(rule)
    found = [_condition(part) for part in _together(node)] if node else []
    known = [condition for condition in found if condition]
    return known if len(known) == len(found) else []


def _together(node: promql.Expr) -> list[promql.Expr]:
    node = unwrapped(node)
    if isinstance(node, promql.BinaryExpr) and str(node.op) == "and":
        return [*_together(node.lhs), *_together(node.rhs)]
    return [node]


def _condition(node: promql.Expr) -> _Condition | None:
    if not isinstance(node, promql.BinaryExpr) or str(node.op) not in COMPARISONS:
        return None
    operator = str(node.op)
    if (limit := number(node.rhs)) is not None:
        return _Condition(str(node.lhs), operator, limit)
    if (limit := number(node.lhs)) is not None:
        return _Condition(str(node.rhs), _TURNED.get(operator, operator), limit)
    return None


def _parsed(rule: Rule) -> promql.Expr | None:
    try:
        return promql.parse(str(rule.get("expr", "")))
    except ValueError:
        return None


@cache
def _known() -> Mapping[str, Alert]:
    return {alert.name: alert for alert in ALERTS}


def _abouts(name: str, count: int) -> list[tuple[str, str]]:
    """For each condition of an alert the unit of its limit, and a sentence for a change of it."""
    plain = [
        ("", "fires {side} {now} instead of {was}"),
        *[("", "asks for {side} {now} besides, instead of {was}")] * (count - 1),
    ]
    alert = _known().get(name)
    if alert is None or 1 + len(alert.also) + len(alert.guards) != count:
        return plain
    also = [(one.signal.unit, f"fires only with {one.signal.title} {{side}} {{now}} instead of {{was}}") for one in alert.also]
    guards = [("none", f"needs {{now}} instead of {{was}} events ({one.signal.title}, {one.when})") for one in alert.guards]
    return [(alert.signal.unit, plain[0][1]), *also, *guards]


def _seconds(rule: Rule, key: str) -> str:
    """A duration of a rule; empty for none."""
    text = str(rule.get(key) or "")
    try:
        return text if duration_seconds(text) else ""
    except ValueError:
        return text


def _hold(was: str, now: str) -> Iterator[str]:
    if was == now:
        return
    if not was:
        yield f"holds {now} before it fires, and fired at once"
    elif not now:
        yield f"fires at once instead of after {was}"
    else:
        yield f"holds {now} instead of {was}"


def _keep(was: str, now: str) -> Iterator[str]:
    if was == now:
        return
    if not was:
        yield f"keeps firing for {now} after its end"
    elif not now:
        yield f"ends at once instead of {was} later"
    else:
        yield f"keeps firing for {now} instead of {was} after its end"
