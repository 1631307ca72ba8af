"""What is usual for a figure, and how far it is from that. docs/anomalies.md says how the bands are made, and why.

Every figure that the configuration watches is recorded as `anomaly:value:current`, with labels that say which; all other rules
work on these series at once, so that their number does not grow with what is watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from contract.anomaly import WINDOW, Anomaly
from contract.settings import Settings
from contract.signals.agents import AGENT_QUERIES
from contract.signals.model import Signal
from contract.values import duration_seconds
from recording_rules.model import KEPT, Formula, Group, Recorded

Query = Callable[[Signal, tuple[str, ...], str], str]

INTERVAL = "2m"
DAY, AGO = "26h", "1h"
"""The usual is that of 26 hours, a day with some room, which ended an hour ago: an anomaly does not hide itself at once."""
LEAST_SAMPLES = 390
"""Half of what 26 hours have. A figure that is there more rarely has no usual."""
ROBUST_SCALE = 1.4826
"""Times the median absolute deviation is the standard deviation, where values are distributed normally."""
LEAST_SHARE = 0.05
"""The band reaches at least this share of the usual to each side, so that a figure that hardly moves has one, too."""
WEEKS = (1, 2, 3, 4)
RULES_PER_GROUP = 20

ABOUT = ("anomaly", KEPT, "scope", "source", "strategy", "team")
"""The labels of all these series. The labels of a figure's `by` come to them; `scope` holds their values as one text."""
_VALUE, _MIDDLE, _WEEK = "anomaly:value:current", "anomaly:value:middle", "anomaly:value:week"
_SPREAD, _SAMPLES = "anomaly:value:spread", "anomaly:value:samples"
_HIGH, _LOW, _MARGIN = "anomaly:usual:high", "anomaly:usual:low", "anomaly:usual:margin"
_SENSITIVITY, _TOLERANCE = "anomaly:sensitivity:constant", "anomaly:tolerance:constant"


def groups(settings: Settings, query: Query) -> tuple[Group, ...]:
    """The groups of a site; none without anomalies. `query` gives the PromQL of a signal, by labels and over a window."""
    watched = settings.anomalies
    if not watched:
        return ()
    return (
        *_chunks("anomaly_values", 2, [_value(anomaly, query) for anomaly in watched]),
        *_chunks("anomaly_constants", 2, [rule for anomaly in watched for rule in _constants(anomaly)]),
        Group("anomaly_day", INTERVAL, (*_middles(), _samples(), *_weeks(settings)), level=3),
        Group("anomaly_usual", INTERVAL, _usual(settings), level=4),
        Group("anomaly_bands", INTERVAL, _bands(watched), level=5),
    )


def _chunks(name: str, level: int, rules: list[Formula]) -> Iterable[Group]:
    for number, first in enumerate(range(0, len(rules), RULES_PER_GROUP)):
        some = tuple(rules[first : first + RULES_PER_GROUP])
        yield Group(f"{name}_{number}" if number else name, INTERVAL, some, level)


def _value(anomaly: Anomaly, query: Query) -> Formula:
    by = (KEPT, *anomaly.by)
    made = query(anomaly.asked, by, WINDOW)
    if anomaly.traffic:
        made = f"({made}) and {query(anomaly.traffic, by, WINDOW)} * {duration_seconds(WINDOW):g} >= {anomaly.minimum:g}"
    added = {"anomaly": anomaly.label, "source": anomaly.asked.source, "strategy": anomaly.strategy, "team": anomaly.team}
    if not anomaly.by:
        return Formula(_VALUE, made, by, tuple(sorted((added | {"scope": "all"}).items())))
    names = ", ".join(f'"{label}"' for label in anomaly.by)
    return Formula(_VALUE, f'label_join({made}, "scope", "/", {names})', (*by, "scope"), tuple(sorted(added.items())))


def _constants(anomaly: Anomaly) -> tuple[Formula, ...]:
    """What the configuration says of a figure, for the rules that work on all of them.

    What is counted has its least amount as tolerance: so few more, or fewer, than usual are usual.
    """
    least = 0.0 if anomaly.traffic else anomaly.minimum / duration_seconds(WINDOW)
    constants = ((_SENSITIVITY, anomaly.sensitivity), (_TOLERANCE, max(anomaly.tolerance, least)))
    return tuple(Formula(name, f"vector({value:.10g})", (), (("anomaly", anomaly.label),)) for name, value in constants)


def _middles() -> tuple[Formula, ...]:
    """The middle of the day, and how far values are from it; robust deviations need the middle first, see `_usual`."""
    adaptive, robust = (f'{_VALUE}{{strategy="{strategy}"}}[{DAY}] offset {AGO}' for strategy in ("adaptive", "robust"))
    return (
        Formula(_MIDDLE, f"avg_over_time({adaptive}) or quantile_over_time(0.5, {robust})", ABOUT),
        Formula(_SPREAD, f"stddev_over_time({adaptive})", ABOUT),
    )


def _samples() -> Formula:
    """How many values the day has, for figures that were there a day ago, too: nothing is known on the first day."""
    counted, before = f"count_over_time({_VALUE}[{DAY}] offset {AGO})", f"present_over_time({_VALUE}[2h] offset 1d)"
    return Formula(_SAMPLES, f"{counted} and {before}", ABOUT)


def _any(operator: str, *alternatives: str, parameter: str = "") -> str:
    """The greatest, least or middle one of several figures with the same labels, of which some may not be there."""
    told = " or ".join(f'label_replace({one}, "alternative", "{n}", "", "")' for n, one in enumerate(alternatives))
    return f"{operator} without (alternative) ({parameter}{told})"


def _weeks(settings: Settings) -> tuple[Formula, ...]:
    """What was usual at this time of the week, as far as Prometheus remembers: of each week the hour around it, of these the
    middle one."""
    kept = duration_seconds(settings.sources.prometheus.retention)
    known = [week for week in WEEKS if week * duration_seconds("1w") + duration_seconds("1h") <= kept]
    hours = [f"quantile_over_time(0.5, {_VALUE}[1h] offset {168 * week - 1}h30m)" for week in known]
    return (Formula(_WEEK, _any("quantile", *hours, parameter="0.5, "), ABOUT),) if hours else ()


def _usual(settings: Settings) -> tuple[Formula, ...]:
    """Between what it usually lies, and how much further it may be: some deviations, its tolerance, or a small share."""
    middles = (_MIDDLE, *(rule.record for rule in _weeks(settings)))
    known = f"and {_SAMPLES} >= {LEAST_SAMPLES}"
    away = f'quantile_over_time(0.5, abs({_VALUE} - {_MIDDLE}{{strategy="robust"}})[{DAY}:10m] offset {AGO})'
    deviations = f"({_SPREAD} or {ROBUST_SCALE} * {away}) * on (anomaly) group_left () {_SENSITIVITY}"
    tolerance = f"0 * {_MIDDLE} + on (anomaly) group_left () {_TOLERANCE}"
    return (
        Formula(_HIGH, f"{_any('max', *middles)} {known}", ABOUT),
        Formula(_LOW, f"{_any('min', *middles)} {known}", ABOUT),
        Formula(_MARGIN, _any("max", deviations, tolerance, f"{LEAST_SHARE} * abs({_MIDDLE})"), ABOUT),
    )


def _bands(watched: tuple[Anomaly, ...]) -> tuple[Formula, ...]:
    """Where a band ends on the sides that are watched, and how far the figure is from the usual, in widths of the band."""
    rules = []
    highs, lows = _selected(watched, "high"), _selected(watched, "low")
    if highs is not None:
        rules += [
            Formula("anomaly:band:upper", f"{_HIGH}{highs} + {_MARGIN}", ABOUT),
            Formula(ANOMALY_HIGH.record, f"({_VALUE} - {_HIGH}{highs}) / {_MARGIN}", ABOUT),
        ]
    if lows is not None:
        rules += [
            Formula("anomaly:band:lower", f"clamp_min({_LOW}{lows} - {_MARGIN}, 0)", ABOUT),
            Formula(ANOMALY_LOW.record, f"({_LOW}{lows} - {_VALUE}) / {_MARGIN}", ABOUT),
        ]
    return tuple(rules)


def _selected(watched: tuple[Anomaly, ...], side: Literal["high", "low"]) -> str | None:
    """The matcher for the figures that are watched on a side; None when none is."""
    names = sorted(anomaly.label for anomaly in watched if anomaly.watches(side))
    if len(names) == len(watched):
        return ""
    if len(names) == 1:
        return f'{{anomaly="{names[0]}"}}'
    return f'{{anomaly=~"{"|".join(names)}"}}' if names else None


def _score(key: str, title: str, description: str, record: str) -> Recorded:
    return Recorded(key, title, description, "times", record, AGENT_QUERIES.leaves, ABOUT)


ANOMALY_HIGH = _score(
    "anomaly_high",
    "Above the usual",
    "How far a figure is above what is usual, in widths of its band; from 1 on it is outside",
    "anomaly:distance:above",
)
ANOMALY_LOW = _score(
    "anomaly_low",
    "Below the usual",
    "How far a figure is below what is usual, in widths of its band; from 1 on it is outside",
    "anomaly:distance:below",
)
ANOMALY_VALUE, ANOMALY_UPPER, ANOMALY_LOWER = (
    Recorded(f"anomaly_{key}", title, description, "none", record, AGENT_QUERIES.leaves, ABOUT)
    for key, title, description, record in (
        ("value", "Now", "A watched figure as it is", _VALUE),
        ("upper", "Usually at most", "Where the band of a watched figure ends above", "anomaly:band:upper"),
        ("lower", "Usually at least", "Where the band of a watched figure ends below", "anomaly:band:lower"),
    )
)
