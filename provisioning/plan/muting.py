"""Which alerts mute which, as the inhibition rules of a configuration have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alert_rules.matching import Matcher
from provisioning.check.carried import Carried


def muters(configuration: Mapping[str, Any], alerts: Iterable[Carried]) -> dict[str, frozenset[str]]:
    """What has to fire so that nobody is told of an alert, in words, by its name. Raises ValueError for what is no matcher."""
    known = list(alerts)
    found: dict[str, set[str]] = {}
    for rule in configuration.get("inhibit_rules", ()):
        causes = _fitting(rule["source_matchers"], known)
        for target in _fitting(rule["target_matchers"], known):
            said = {_said(cause, rule) for cause in causes if cause.name != target.name}
            found.setdefault(target.name, set()).update(said)
    return {name: frozenset(said) for name, said in found.items()}


def _fitting(texts: Iterable[str], alerts: Iterable[Carried]) -> list[Carried]:
    matchers = [Matcher.parsed(text) for text in texts]
    return [alert for alert in alerts if alert.may_match(matchers)]


def _said(cause: Carried, rule: Mapping[str, Any]) -> str:
    """`AllTargetsDown (job="platform") fires for the same environment`."""
    matchers = [Matcher.parsed(text) for text in rule["source_matchers"]]
    further = [f"{one.label}{one.operator}{one.value}" for one in matchers if one.label not in cause.fixed]
    same = f" for the same {', '.join(rule['equal'])}" if rule.get("equal") else ""
    return f"{cause.name}{f' ({chr(44).join(further)})' if further else ''} fires{same}"
