"""Recorded series of the past, level by level.

A rule that reads another rule's series finds them only when they are there, so those of one level are written before the next
is asked for. Prometheus evaluates the rules of days at once; `promtool … rules` would ask for every rule and every two hours,
take three times as long, and leave a thousand blocks to be compacted.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import requests

from contract.settings import Settings
from contract.values import duration_seconds
from demo.history.blocks import HistoryError
from demo.history.samples import BLOCK_SECONDS
from provisioning.rules.server import Workshop
from provisioning.rules.wire import Series
from recording_rules.registry import added, groups, rule_expression

QUERY_SECONDS = 120.0
FINE_SECONDS, COARSE_SECONDS = 60, 300
"""Recorded series have a point every minute in the newest past, and before as often as Prometheus looks back, which is also
when the long windows of service levels look at them. Rules that are evaluated more rarely than every minute have all points."""
SPAN_SECONDS = 27 * BLOCK_SECONDS
"""How much time one question covers at most."""
_AT_ONCE = 2


class Rule(NamedTuple):
    """A recorded series: its name, its PromQL, the labels that the rule gives to it, and seconds between its evaluations."""

    name: str
    expression: str
    added: dict[str, str]
    interval: int


def levels(settings: Settings) -> list[list[Rule]]:
    """The recorded series of every level, lowest first."""
    found: defaultdict[int, list[Rule]] = defaultdict(list)
    for group in groups(settings):
        interval = int(duration_seconds(group.interval))
        found[group.level] += (Rule(rule.record, rule_expression(rule), added(rule), interval) for rule in group.rules)
    return [found[level] for level in sorted(found)]


def record(
    settings: Settings,
    workshop: Workshop,
    since: float,
    until: float,
    fine: float,
    progress: Callable[[float], None],
    keeps: Callable[[str], bool],
) -> int:
    """Write the recorded series of (since, until] to a server that has all they are made of; gives the number of samples.

    The newest past is that of the last `fine` seconds. `progress` is told the share done, 0 to 1. `keeps` is asked with the
    name of each series whether it is wanted. Raises HistoryError, and Unreachable or requests.RequestException when the server
    has gone.
    """
    todo = [kept for rules in levels(settings) if (kept := [rule for rule in rules if keeps(rule.name)])]
    spans = list(_spans(int(since), int(until)))
    fine_from = int(until - fine) // BLOCK_SECONDS * BLOCK_SECONDS
    samples = 0
    with ThreadPoolExecutor(_AT_ONCE) as asking, requests.Session() as session:
        ask = partial(_ask, session, workshop.url)
        for level, rules in enumerate(todo):
            for number, (after, last) in enumerate(spans):
                questions = [question for rule in rules for question in _questions(rule, after, last, fine_from)]
                # While one answer is written down, Prometheus evaluates the next.
                for question, found in zip(questions, asking.map(ask, questions), strict=True):
                    series = [_recorded(question.rule, one) for one in found]
                    workshop.write(series)
                    samples += sum(len(points) for _, _, points in series)
                progress((level + (number + 1) / len(spans)) / len(todo))
    return samples


class Question(NamedTuple):
    """What a rule recorded from `start` to `end`, both included, every `step` seconds."""

    rule: Rule
    start: int
    end: int
    step: int


def _spans(since: int, until: int) -> Iterator[tuple[int, int]]:
    """(since, until] cut into parts: after which second each begins, and its last one."""
    while since < until:
        last = min(((since + 1) // SPAN_SECONDS + 1) * SPAN_SECONDS - 1, until)
        yield since, last
        since = last


def _questions(rule: Rule, after: int, last: int, fine_from: int) -> Iterator[Question]:
    """The questions for a rule's points in (after, last]: one for what is older than `fine_from`, and one for the rest."""
    steps = (rule.interval,) * 2 if rule.interval > FINE_SECONDS else (COARSE_SECONDS, FINE_SECONDS)
    parts = ((after, min(last, fine_from - 1)), (max(after, fine_from - 1), last))
    for (begin, end), step in zip(parts, steps, strict=True):
        if (first := (begin // step + 1) * step) <= end:
            yield Question(rule, first, end, step)


def _ask(session: requests.Session, url: str, question: Question) -> list[Any]:
    """The series of a rule's past."""
    rule, start, end, step = question
    parameters: dict[str, str | int] = {"query": rule.expression, "start": start, "end": end, "step": step}
    answer = session.get(f"{url}/api/v1/query_range", params=parameters, timeout=QUERY_SECONDS)
    found = json.loads(answer.content)
    if found["status"] != "success":
        raise HistoryError(f"the past of {rule.name} could not be evaluated: {found['error']}")
    return list(found["data"]["result"])


def _recorded(rule: Rule, found: dict[str, Any]) -> Series:
    """A series of an answer as the rule records it."""
    carried = {label: value for label, value in found["metric"].items() if label != "__name__"}
    labels = tuple(sorted((carried | rule.added).items()))
    return rule.name, labels, [(at, float(value)) for at, value in found["values"]]
