"""Who would be told differently: two sets of alerts and two configurations of Alertmanager, compared in sentences.

Every alert is followed through the routes of both sides with each combination of labels that the routes ask for and the alert
may have. What is the same for many alerts is said once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from alert_rules.matching import Matcher
from provisioning.check.carried import Carried, carried
from provisioning.plan import conditions
from provisioning.plan.changes import Action, Part, Plan
from provisioning.plan.muting import muters
from provisioning.plan.objects import Document, Live, Wanted
from provisioning.plan.recipients import NOBODY, Recipients, Telling
from provisioning.targets import routing, rule_groups
from provisioning.targets.alertmanager import CONFIGURATION, AlertmanagerTarget
from provisioning.targets.kubernetes.reading import ALERTMANAGER_SECRET, PROMETHEUS_RULE

_SERVERS = (frozenset({"prometheus", "alertmanager"}), frozenset({"mimir"}), frozenset({"kubernetes"}))
"""Targets that belong together: the alerts of the one go through the routes of the other."""
_NAMED = 4
"""So many alerts that differ in the same way are named; of more, the first and their number."""
_COMBINATIONS = 200
_OTHER = "\N{HORIZONTAL ELLIPSIS}"
"""Stands for every value of a label that no route asks for."""
_MADE = {"alert", "record"}
_LIST = re.compile(r"[\w-]+(\|[\w-]+)*")
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Side:
    """Rule groups, and Alertmanager's configuration in its normalised form; None where it is not known."""

    groups: tuple[Document, ...] = ()
    configuration: Document | None = None


def of_plan(plan: Plan) -> tuple[str, ...]:
    """Who would be told differently after an apply."""
    found: list[str] = []
    for servers in _SERVERS:
        parts = [part for part in plan.parts if part.target.name in servers]
        before = [live for part in parts for live in part.state.objects]
        after = [item for part in parts for item in _afterwards(part)]
        built = _built(parts)
        found += differences(_side(before, built), _side(after, built))
    return tuple(found)


def _built(parts: Sequence[Part]) -> list[Document]:
    """The alerts whose routes these are, where the server that evaluates them is no part of the plan."""
    targets = [part.target for part in parts]
    alertmanagers = [target for target in targets if isinstance(target, AlertmanagerTarget)]
    if len(alertmanagers) < len(targets):
        return []
    return [rule_groups.normal(group) for target in alertmanagers for group in target.groups()]


def _afterwards(part: Part) -> Iterator[Wanted | Live]:
    """Everything on a target after an apply; what is left alone is there still."""
    changed = {change.key for change in part.todo}
    yield from (live for live in part.state.objects if live.key not in changed)
    yield from (change.wanted for change in part.todo if change.action is Action.WRITE and change.wanted)


def _side(objects: Iterable[Wanted | Live], built: Sequence[Document]) -> Side:
    groups = list(built)
    configuration = None
    for item in objects:
        document = item.document
        if item.key.kind == CONFIGURATION:
            configuration = routing.normal(document["alertmanager_config"]) if "alertmanager_config" in document else document
        elif item.key.kind == ALERTMANAGER_SECRET:
            told = document.get("stringData", {}).get("alertmanager.yaml")
            configuration = routing.normal(told) if isinstance(told, Mapping) and told.get("route") else configuration
        elif item.key.kind == PROMETHEUS_RULE:
            groups += [rule_groups.normal(group) for group in (document.get("spec") or {}).get("groups") or ()]
        elif isinstance(document, Mapping):
            groups += [document] if "rules" in document else document.get("groups", ())
    return Side(tuple(groups), configuration)


def differences(before: Side, after: Side) -> tuple[str, ...]:
    """Sentences about alerts that are told to others, or otherwise; those that nobody hears of any more come first."""
    unknown: tuple[str, ...] = ()
    try:
        sides = _Followed(before), _Followed(after)
    except (ValueError, re.error) as problem:
        unknown = (f"whom alerts reach cannot be compared: {problem}",)
        sides = _Followed(Side(before.groups)), _Followed(Side(after.groups))
    lost, other = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for name in sorted({*sides[0].rules, *sides[1].rules}):
        for silent, said in _of_alert(name, *sides):
            (lost if silent else other)[said].append(f"{name}{_scope(name, sides)}")
    return (*unknown, *_told(lost), *_told(other))


class _Followed:
    """One side, with everything that is asked of it more than once."""

    def __init__(self, side: Side) -> None:
        groups = [_sound(group) for group in side.groups]
        rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
        self.alerts = {alert.name: alert for alert in carried(groups)}
        self.rules = _named(rules)
        self.recipients = Recipients(side.configuration) if side.configuration is not None else None
        self.muters = muters(side.configuration or {}, self.alerts.values())

    def told(self, rule: conditions.Rule | None, free: Labels) -> dict[str, Telling]:
        """Who is told of an alert of this rule that has these labels besides its own."""
        if self.recipients is None or rule is None:
            return {}
        own = {label: text for label, text in rule.get("labels", {}).items() if "{{" not in text}
        return self.recipients.of({"alertname": rule["alert"], **free, **own})


def _sound(group: Document) -> Document:
    """What of a group a server could evaluate; others' files may hold anything."""
    rules = [rule for rule in group.get("rules", ()) if isinstance(rule, Mapping) and "expr" in rule and rule.keys() & _MADE]
    return {"name": group.get("name", ""), "rules": rules}


def _named(rules: Sequence[conditions.Rule]) -> dict[str, conditions.Rule]:
    """Rules by name. Of several that share one, by their labels too; of several that share these, the first."""
    shared = {rule["alert"] for rule in rules if sum(other["alert"] == rule["alert"] for other in rules) > 1}
    found: dict[str, conditions.Rule] = {}
    for rule in rules:
        labels = ", ".join(f"{label}={text}" for label, text in sorted(rule.get("labels", {}).items()))
        found.setdefault(f"{rule['alert']} ({labels})" if rule["alert"] in shared and labels else rule["alert"], rule)
    return found


def _scope(name: str, sides: tuple[_Followed, _Followed]) -> str:
    rule = sides[1].rules.get(name) or sides[0].rules[name]
    found = conditions.environments(rule)
    return f" ({', '.join(found)})" if found else ""


def _of_alert(name: str, before: _Followed, after: _Followed) -> Iterator[tuple[bool, str]]:
    """What is to be said of one alert, and whether nobody hears of it any more."""
    was, now = before.rules.get(name), after.rules.get(name)
    yield from _recipients(was, now, before, after)
    if was is None or now is None:
        return
    one, other = conditions.environments(was), conditions.environments(now)
    if one != other:
        yield False, f"looks at {_listed(other) or 'every environment'} instead of {_listed(one) or 'every environment'}"
    yield from ((False, said) for said in conditions.differences(was, now))
    muted = [side.muters.get(now["alert"], frozenset()) for side in (before, after)]
    yield from ((False, f"now muted while {cause}") for cause in sorted(muted[1] - muted[0]))
    yield from ((False, f"no longer muted while {cause}") for cause in sorted(muted[0] - muted[1]))


def _recipients(
    was: conditions.Rule | None, now: conditions.Rule | None, before: _Followed, after: _Followed
) -> Iterator[tuple[bool, str]]:
    cases = _cases((now or was or {})["alert"], before, after)
    if was is None or now is None:
        people = _listed(dict.fromkeys(whom for free in cases for whom in (*before.told(was, free), *after.told(now, free))))
        if now is None:
            yield bool(people), f"no longer there{f'; told {people}' if people else ''}"
        else:
            yield False, f"new{f'; tells {people}' if people else ''}"
        return
    found = defaultdict[tuple[bool, str], list[Labels]](list)
    for free in cases:
        for said in _compared(before.told(was, free), after.told(now, free)):
            found[said].append(free)
    for (silent, sentence), where in found.items():
        for labels in _without_needless(where, cases):
            which = " and ".join(
                f"any other {label}" if text == _OTHER else f"{label} {text}" for label, text in labels.items()
            )
            yield silent, f"{f'for {which}: ' if which else ''}{sentence}"


def _without_needless(where: list[Labels], cases: list[Labels]) -> list[Labels]:
    """The same combinations without the labels that make no difference to them: whose every value is among them."""
    if len(where) == len(cases):
        return [{}]
    for label in cases[0]:
        values = {free[label] for free in cases}
        merged: list[Labels] = []
        for free in where:
            rest = {name: text for name, text in free.items() if name != label}
            item = rest if all({**rest, label: text} in where for text in values) else free
            merged += [item] if item not in merged else []
        where = merged
    return where


def _compared(was: Mapping[str, Telling], now: Mapping[str, Telling]) -> Iterator[tuple[bool, str]]:
    """What differs between two ways of telling of the same alert, and whether nobody is told any more."""
    if was and not now:
        yield True, f"no longer tells anyone; was {_listed(was)}"
    elif was.keys() != now.keys():
        yield False, f"was {_listed(was) or NOBODY}; now {_listed(now)}"
    otherwise = defaultdict[str, list[str]](list)
    for whom in now:
        for said in _paces(was[whom], now[whom]) if whom in was else ():
            otherwise[said].append(whom)
    for said, people in otherwise.items():
        yield False, said if len(people) == len(now) else f"{said} ({_listed(people)})"


def _paces(was: Telling, now: Telling) -> Iterator[str]:
    if was.address != now.address:
        yield "told at another address there"
    if was.hours != now.hours:
        yield f"told {now.hours} instead of {was.hours}"
    if was.wait != now.wait:
        yield f"told after {now.wait} instead of {was.wait}"
    if was.interval != now.interval:
        yield f"changes told after {now.interval} instead of {was.interval}"
    if was.repeat != now.repeat:
        yield f"told again every {now.repeat} instead of every {was.repeat}"
    if was.together != now.together:
        yield f"one message for each {_grouped(now)} instead of each {_grouped(was)}"
    if was.ends != now.ends:
        yield f"its end is {'now' if now.ends else 'no longer'} told"


def _grouped(telling: Telling) -> str:
    labels = telling.together
    return "alert" if labels == ("...",) else _listed(labels) or "route"


def _cases(alert: str, before: _Followed, after: _Followed) -> list[Labels]:
    """Every combination of values, of labels that the alert may have, that a route asks for, and one that none asks for."""
    known = [side.alerts[alert] for side in (before, after) if alert in side.alerts]
    matchers = [matcher for side in (before, after) if side.recipients for matcher in side.recipients.matchers]
    values: dict[str, set[str]] = {}
    for matcher in matchers:
        if any(_free(matcher.label, one) for one in known):
            values.setdefault(matcher.label, {_OTHER}).update(_asked(matcher))
    names = sorted(values)
    if prod(map(len, values.values())) <= _COMBINATIONS:
        return [dict(zip(names, chosen, strict=True)) for chosen in product(*(sorted(values[name]) for name in names))]
    others = dict.fromkeys(names, _OTHER)  # too many to try together, so each is tried alone
    return [others, *({**others, name: text} for name in names for text in sorted(values[name] - {_OTHER}))]


def _free(label: str, alert: Carried) -> bool:
    return label not in alert.fixed and alert.has(label)


def _asked(matcher: Matcher) -> set[str]:
    return set(matcher.value.split("|")) if _LIST.fullmatch(matcher.value) else set()


def _listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    several = list(words)
    return " and ".join([", ".join(several[:-1]), several[-1]] if len(several) > 1 else several)


def _told(found: Mapping[str, list[str]]) -> Iterator[str]:
    for said, names in found.items():
        if len(names) <= _NAMED:
            yield f"{_listed(names)}: {said}"
        else:
            yield f"{len(names)} alerts ({', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} more): {said}"
