"""Alerts on figures that are unlike themselves: outside of the band that their own last day, and weeks before, have drawn.

They say that something is odd, not that it is bad: nobody is woken, and whoever knows why it is so has nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from alert_rules.model import Alert, AlertGroup, Flow, Kind, Labels, MetricCheck, Phase, Scenario, Severity
from alert_rules.stories import MINUTE, SOURCE_HOLD_SECONDS, durations
from contract.anomaly import WINDOW, Anomaly
from contract.settings import Settings
from contract.signals.agents import AGENT_QUERIES, AGENT_RETRIES
from contract.signals.model import Match, Quantile, Rate, Ratio
from contract.signals.models import LLM_COST
from contract.values import duration_seconds
from recording_rules.anomaly import ANOMALY_HIGH, ANOMALY_LOW, ANOMALY_LOWER, ANOMALY_UPPER, ANOMALY_VALUE, LEAST_SHARE

GROUP = AlertGroup("anomaly_alerts", "2m")
FIGURE = ("anomaly", "environment", "scope", "source", "team")
_DAY = 27.5 * 60 * MINUTE
"""How long the stories begin with all being usual, so that there is a usual."""
_HOUR = 60 * MINUTE
_STEP = duration_seconds(GROUP.interval)
"""Stories of days are told as often as the rules look, in seconds."""

Side = Literal["high", "low"]


@dataclass(frozen=True)
class _Case:
    """A figure in numbers: what is usual and odd, as series and as values, and the steps that the odd needs to be seen."""

    usual: tuple[Flow, ...]
    odd: tuple[Flow, ...]
    sparse: tuple[tuple[Flow, ...], tuple[Flow, ...]]
    values: tuple[float, float]
    begins: int = 1


def _shown(match: Match) -> str:
    """A value that a matcher accepts."""
    return "another" if match.operator == "!=" else match.value.split("|")[0].replace(".", "0")


def _labels(rate: Rate, about: Labels) -> Labels:
    return tuple(sorted({**{match.label: _shown(match) for match in rate.leaf.matches}, **dict(about)}.items()))


def _flow(rate: Rate, about: Labels, per_second: float) -> Flow:
    return Flow(rate.leaf.series, _labels(rate, about), per_second * MINUTE)


def _case(anomaly: Anomaly, side: Side, about: Labels) -> _Case:
    signal, minimum = anomaly.asked, anomaly.minimum / duration_seconds(WINDOW)
    if isinstance(signal, Rate):
        tolerance = max(anomaly.tolerance, minimum)
        usual, odd = 2 * tolerance / LEAST_SHARE, 20 * tolerance / LEAST_SHARE if side == "high" else 0.0
        few = (0.0, 0.9 * tolerance) if side == "high" else (0.9 * tolerance, 0.0)
        flows = [(_flow(signal, about, amount),) for amount in (usual, odd, *few)]
        return _Case(flows[0], flows[1], (flows[2], flows[3]), (usual, odd))
    shares = (0.1, 0.9) if side == "high" else (0.9, 0.1)
    if isinstance(signal, Ratio):
        whole, part = signal.whole, signal.part

        def calls(per_second: float, share: float) -> tuple[Flow, ...]:
            rest = (_flow(whole, about, per_second * (1 - share)),)
            failed = _flow(part, about, per_second * share)
            own = failed.series == whole.leaf.series
            return (failed, *rest) if own else (failed, _flow(whole, about, per_second))

        sparse = (calls(minimum / 2, shares[0]), calls(minimum / 2, shares[1]))
        return _Case(calls(2 * minimum, shares[0]), calls(2 * minimum, shares[1]), sparse, shares)
    assert isinstance(signal, Quantile)
    bounds = signal.leaf.metric.buckets
    first, last = (tuple(durations(signal.metric_name, about, bound, 1.0)) for bound in (bounds[0], bounds[-1]))

    def times(flows: tuple[Flow, ...], per_second: float) -> tuple[Flow, ...]:
        return tuple(replace(flow, amount=flow.amount * per_second * MINUTE) for flow in flows)

    values = (bounds[0] * signal.quantile, bounds[-2] + (bounds[-1] - bounds[-2]) * signal.quantile)
    seen = int((1 - signal.quantile) * duration_seconds(WINDOW) / _STEP) + 1
    sparse = (times(first, minimum / 2), times(last, minimum / 2))
    return _Case(times(first, 2 * minimum), times(last, 2 * minimum), sparse, values, seen)


def _told(anomalies: tuple[Anomaly, ...], side: Side) -> Anomaly:
    """The figure that the stories are about: what is counted, where there is such a one."""
    kinds = (Rate, Ratio, Quantile)
    watched = [anomaly for anomaly in anomalies if anomaly.watches(side)]
    return min(watched, key=lambda anomaly: next(n for n, kind in enumerate(kinds) if isinstance(anomaly.asked, kind)))


def _scenarios(side: Side) -> Callable[[Alert, Settings], tuple[Scenario, ...]]:
    def scenarios(alert: Alert, settings: Settings) -> tuple[Scenario, ...]:
        return tuple(_stories(alert, settings, side))

    return scenarios


def _stories(alert: Alert, settings: Settings, side: Side) -> Iterator[Scenario]:
    anomaly = _told(settings.anomalies, side)
    about = (("environment", settings.environments[0]), *((label, "billing") for label in anomaly.by))
    case = _case(anomaly, side, about)
    scope = "/".join("billing" for _ in anomaly.by) or "all"
    labels = (("anomaly", anomaly.label), about[0], ("scope", scope), ("source", anomaly.asked.source), ("team", anomaly.team))
    usual, odd = case.values
    tolerance = anomaly.tolerance if anomaly.traffic else max(anomaly.tolerance, anomaly.minimum / duration_seconds(WINDOW))
    margin = max(tolerance, LEAST_SHARE * usual)
    sign = 1 if side == "high" else -1
    shows = sign * (odd - usual) / margin
    fires = _DAY + case.begins * _STEP + alert.hold_seconds
    ends = fires + 3 * _STEP
    lost = ends + _STEP + max(_STEP, SOURCE_HOLD_SECONDS)
    over = ends + alert.keep_seconds + 5 * _STEP
    before, bad = Phase(_DAY, case.usual), Phase(ends - _DAY, case.odd)
    still = tuple(replace(flow, amount=0.0) for flow in case.usual)
    long = (_DAY, fires, ends)

    def scenario(kind: Kind, story: str, quiet: tuple[float, ...], *phases: Phase) -> Scenario:
        return Scenario(kind, story, labels, phases, quiet, step=_STEP)

    def fired(kind: Kind, story: str, quiet: float, *phases: Phase) -> Scenario:
        return replace(scenario(kind, story, (quiet,), *phases), firing=((ends, shows),))

    # First, and no longer than the others' day, whose beginning it is then: days take promtool long, and are told at once.
    yield scenario(Kind.QUIET, "all is usual", (_DAY - _HOUR, _DAY - _HOUR / 2, _DAY), before)
    first = fired(Kind.FIRES, "a usual day, then it is far from that", fires - _STEP, before, bad)
    yield replace(first, firing=((fires, shows), (ends, shows)))
    new = "it changes on the first day, when nothing is known"
    yield scenario(Kind.QUIET, new, (1.5 * _HOUR, 2 * _HOUR), Phase(_HOUR, case.usual), Phase(_HOUR, case.odd))
    few, then = case.sparse
    yield scenario(Kind.QUIET, "it changes, but next to nothing happens", long, Phase(_DAY, few), Phase(ends - _DAY, then))
    yield fired(Kind.RECOVERS, "it is far from the usual, then usual again", over, before, bad, Phase(over - ends, case.usual))
    yield scenario(Kind.NO_TRAFFIC, "nothing moves, ever", (_HOUR, 2 * _HOUR), Phase(2 * _HOUR, still))
    yield scenario(Kind.NO_DATA, "the source was never there", (_HOUR,), Phase(_HOUR, None))
    gone = "the source goes while the alert fires; it stays until it is said that the source is gone, then ends"
    away = fired(Kind.SOURCE_LOST, gone, over, before, bad, Phase(over - ends, None))
    yield replace(away, firing=((ends, shows), (lost, shows)), source_gone=(lost,))


def _owners(side: Side) -> Callable[[Settings], tuple[str, ...]]:
    return lambda settings: tuple(anomaly.team for anomaly in settings.anomalies if anomaly.watches(side))


def _watched(side: Side) -> Callable[[Settings], bool]:
    return lambda settings: any(anomaly.watches(side) for anomaly in settings.anomalies)


_CHECKS = (
    MetricCheck("Which figures are out of their band, and how far?", ANOMALY_HIGH, FIGURE),
    MetricCheck("What is the figure now?", ANOMALY_VALUE, FIGURE),
    MetricCheck("Between what was it usually? Draw all three over two days.", ANOMALY_UPPER, FIGURE),
    MetricCheck("Do the agents have more or less to do than a day ago?", AGENT_QUERIES, ("environment", "agent"), "1h", "1d"),
)

HIGH = Alert(
    name="AnomalyHigh",
    group=GROUP,
    concern="anomaly-high",
    signal=ANOMALY_HIGH,
    by=FIGURE,
    window=WINDOW,
    comparison=">",
    threshold=1.0,
    hold="10m",
    keep_firing_for="20m",
    severity=Severity.WARNING,
    team="",
    owners=_owners("high"),
    summary="A figure is far above what is usual for it.",
    description="{anomaly} ({scope}) in {environment} is {value} as far above the usual as it may be, for {hold} now. "
    "The figures come from {source}; team {team} is told.",
    meaning="The figure is above the band that its own last day has drawn, and above what it was at this hour in the weeks "
    "before.",
    impact="Perhaps none: a campaign or a load test looks like this. A loop of an agent, an attack or a dear prompt does, too.",
    checks=(*_CHECKS, MetricCheck("Do agents repeat themselves?", AGENT_RETRIES, ("environment", "agent"), "1h")),
    next_steps=(
        "More traffic, and more of all that follows from it: ask who sends it; for users that are real, watch the capacity.",
        "Cost or tokens without more traffic: find the agent and version that uses them, and look for retries and long "
        "contexts.",
        "Latency or errors alone: treat it like AgentResponseTimeHigh or AgentErrorRatioHigh, below their limits as yet.",
        "It is the new usual: do nothing, the band follows within hours. It is odd every day: raise `sensitivity` under "
        "`anomalies`.",
    ),
    scenarios=_scenarios("high"),
    needed=_watched("high"),
)
LOW = replace(
    HIGH,
    name="AnomalyLow",
    concern="anomaly-low",
    signal=ANOMALY_LOW,
    severity=Severity.INFO,
    summary="A figure is far below what is usual for it.",
    description="{anomaly} ({scope}) in {environment} is {value} as far below the usual as it may be, for {hold} now. "
    "The figures come from {source}; team {team} is told.",
    meaning="The figure is below the band that its own last day has drawn, and below what it was at this hour in the weeks "
    "before.",
    impact="Perhaps none: a holiday looks like this. So does a client that cannot reach the platform, which shows in no error.",
    checks=(
        MetricCheck("Which figures are below their band, and how far?", ANOMALY_LOW, FIGURE),
        MetricCheck("What is missing to the usual? Draw it over two days.", ANOMALY_LOWER, FIGURE),
        *_CHECKS[1:2],
        MetricCheck("Which agents are asked less than an hour ago?", AGENT_QUERIES, ("environment", "agent"), "5m", "1h"),
        MetricCheck("What is spent on models?", LLM_COST, ("environment", "agent"), "1h"),
    ),
    next_steps=(
        "Open the product as a user would. No answer, or none of the usual pages: look at what stands in front of the "
        "platform.",
        "All agents are asked less: look for a release of the clients, a broken login (LoginFailureRatioHigh), or a day off.",
        "One agent is asked less: look whether requests are routed elsewhere since a deployment.",
        "It is known: nothing is to be done, the band follows within hours.",
    ),
    scenarios=_scenarios("low"),
    owners=_owners("low"),
    needed=_watched("low"),
)

ALERTS = (HIGH, LOW)
