"""States in words: what alerts watch, judged at this moment by their own questions, limits and guards."""

from __future__ import annotations

from collections.abc import Mapping

from alert_rules import rules, wording
from alert_rules.model import Alert, Severity
from contract.settings import Settings
from contract.signals.model import Matches, Signal
from dashboards.lib import colours
from dashboards.lib.field import Thresholds, Word, named, tab_link, words
from dashboards.lib.figures import Stat
from dashboards.lib.filters import filtered
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery
from recording_rules.registry import query

WELL, UNJUDGED, BAD = 0, 1, 2
_COLOURS = Thresholds(colours.OK, ((UNJUDGED, colours.UNKNOWN), (BAD, colours.DEGRADED)))


def watched(alert: Alert, settings: Settings) -> str:
    """PromQL of what an alert compares with its limit: only where enough happened to judge, and there is what it judges.

    Of the dashboard's filters those act that choose among what the alert tells apart: its limit is not one for a part of that.
    """

    def where(signal: Signal) -> Matches:
        return alert.where(settings) + tuple(match for match in filtered(signal) if match.label in alert.by)

    value = query(alert.signal, alert.by, alert.window, where(alert.signal))
    either_or = (also for also in alert.also if also.signal.unit == "none")
    there = (rules.further(also, alert.by, where(also.signal), settings) for also in either_or)
    guards = (rules.enough(guard, alert.by, where(guard.signal), settings) for guard in alert.guards)
    only = (*there, *guards)
    return "(" + " and ".join((f"({value})", *only)) + ")" if only else f"({value})"


def at_least(alert: Alert, settings: Settings) -> str:
    """What has to happen for an alert to judge, in words, as they follow `where there were`."""
    return "at least " + " and ".join(wording.least(guard, settings) for guard in alert.guards)


def lights(
    name: str,
    title: str,
    description: str,
    judged: Mapping[str, tuple[Alert, str]],
    settings: Settings,
    unjudged: tuple[str, str] = ("too few", "too little happened to judge"),
) -> Panel:
    """One tile for each alert: what it is about, and the word for it being beyond its limit.

    `unjudged` are the word where an alert has nothing to judge, and what that means.
    """
    states = {about: f"max({_state(alert, settings)}) or vector({UNJUDGED})" for about, (alert, _) in judged.items()}
    return Stat(
        name=name,
        title=title,
        description=(
            f"{description} Each is judged by an alert's own question, limit and least traffic, before the time that the alert "
            f"waits; {': '.join(unjudged)}."
        ),
        targets=(PromQuery(expr=union("about", states), legend="{{about}}", instant=True),),
        unit="short",
        limits=_COLOURS,
        filled=True,
        shown="value_and_name",
        direction="vertical",
        value_size=22,
        data_links=(tab_link("SLOs & alerts", "alerts"),),
        overrides=tuple(
            named(
                about,
                mappings=words(
                    {
                        WELL: Word("OK", colours.OK),
                        UNJUDGED: Word(unjudged[0], colours.UNKNOWN),
                        BAD: Word(bad, colours.DOWN if alert.severity is Severity.CRITICAL else colours.DEGRADED),
                    }
                ),
            )
            for about, (alert, bad) in judged.items()
        ),
    )


def _state(alert: Alert, settings: Settings) -> str:
    return f"{BAD} * ({watched(alert, settings)} {alert.comparison} bool {wording.decimal(alert.limit(settings))})"
