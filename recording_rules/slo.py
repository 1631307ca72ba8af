"""Service levels: what went wrong and what happened, as shares over windows, burn rates, and what is left of the budget.

For every service level two rates over five minutes are recorded: errors and events. Of money they are dollars spent and
dollars of an even pace, and the calls are recorded beside them for the guards, which count what happened. All else is the same
for every service level, and recorded by one rule each, however many agents there are.

A window is a sum of errors divided by a sum of events, so that a busy minute weighs as much as its events. Windows of up to two
hours look at every minute of the clock. Longer ones look at every fifth, where the five minutes of each look meet those of the
next: every event is counted once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from math import inf

from contract.settings import Settings
from contract.signals.agents import AGENT_FAILURES, AGENT_QUERIES
from contract.signals.conversations import CONVERSATIONS_ENDED, CONVERSATIONS_MISSED
from contract.signals.http import HTTP_REQUESTS, HTTP_SERVER_ERRORS
from contract.signals.model import Match, Matches, Rate, Signal, equal, like, other, selector
from contract.signals.models import LLM_CALLS, LLM_COST
from contract.slo import TIMED, Slo
from contract.values import duration_seconds
from recording_rules.model import Formula, Group

Query = Callable[[Signal, tuple[str, ...], str, Matches], str]
"""Renders a signal from recorded series where they fit."""

BASE = "5m"
FAST, SLOW = ("30m", "1h", "2h"), ("6h", "1d")
PAGES = (("1h", "5m"), ("6h", "30m"))
"""Windows of the alerts that page: the long one gives the figure, the short one says that it is still so."""
TICKETS = (("1d", "2h"), ("3d", "6h"))
LABELS = ("environment", "scope", "slo", "team")
USUAL, MISSING = "slo:sli_traffic_usual:increase30m", "slo:sli_missing:bool"
REMAINING, PERIOD_BURN = "slo:period_error_budget_remaining:ratio", "slo:period_burn_rate:ratio"
_ERRORS, _EVENTS, _TRAFFIC = (f"slo:{what}:rate{BASE}" for what in ("sli_errors", "sli_events", "sli_traffic"))
_BUDGET, _OBJECTIVE, _PERIOD = "slo:error_budget:ratio", "slo:objective:ratio", "slo:period:seconds"
_RULES_IN_A_GROUP = 18
_SHORT_SECONDS = 7200.0


def ratio(window: str) -> str:
    """Name of the series of the share that went wrong within a window."""
    return f"slo:sli_error:ratio_rate{window}"


def burn(window: str) -> str:
    """Name of the series of the burn rate over a window; of the shortest, Sloth's current burn rate."""
    return f"slo:burn_rate:ratio_rate{window}" if window != BASE else "slo:current_burn_rate:ratio"


def counted(window: str) -> str:
    """Name of the series of the number of events within a window."""
    return f"slo:sli_traffic:increase{window}"


def spent(long: str, pace: str) -> str:
    """Name of the series of the share of the whole budget that goes within `long` at the pace of the last `pace`."""
    return f"slo:error_budget_spent_rate{pace}:ratio{long}"


def groups(settings: Settings, query: Query) -> tuple[Group, ...]:
    """The groups of all service levels; none where a site has none."""
    if not settings.slo:
        return ()
    rates = [rule for slo in settings.slo for rule in _rates(slo, settings, query)]
    facts = [rule for slo in settings.slo for rule in _facts(slo)]
    return (
        *_chunks("slo_rates", "15s", rates, 1),
        *_chunks("slo_objectives", "1m", facts, 1),
        Group("slo_fast_windows", "15s", (_now(), *map(_window, FAST), _traffic("5m"), _traffic("1h"), _traffic("6h")), 2),
        Group("slo_slow_windows", "1m", (*map(_window, SLOW), _traffic("1d"), _usual(), _missing()), 2),
        Group("slo_slowest_windows", "2m", (_window("3d"), _traffic("3d")), 2),
        Group("slo_period_windows", "4m", tuple(_window(f"{days}d", of) for days, of in _periods(settings)), 2),
        Group("slo_fast_burns", "15s", (*map(_burn, (BASE, *FAST)), *_spending(PAGES)), 3),
        Group("slo_slow_burns", "1m", (*map(_burn, SLOW), _burn("3d"), *_spending(TICKETS), _period_burn(settings)), 3),
        Group("slo_budgets", "1m", (Formula(REMAINING, f"1 - {PERIOD_BURN}", LABELS),), 4),
    )


def _chunks(name: str, interval: str, rules: list[Formula], level: int) -> tuple[Group, ...]:
    parts = [tuple(rules[first : first + _RULES_IN_A_GROUP]) for first in range(0, len(rules), _RULES_IN_A_GROUP)]
    return tuple(Group(f"{name}_{n}" if n > 1 else name, interval, part, level) for n, part in enumerate(parts, 1))


def one_of(label: str, names: tuple[str, ...]) -> Match:
    """A matcher for any of these values; what a regular expression would misread is matched as it stands."""
    if len(names) == 1:
        return equal(label, names[0])
    return like(label, "|".join(name.replace(".", "[.]") for name in names))


def _rates(slo: Slo, settings: Settings, query: Query) -> tuple[Formula, ...]:
    environments = slo.where(settings.notifications.paging_environments, settings.environments)
    where: Matches = (one_of("environment", environments),)
    where += (one_of(slo.label, slo.names),) if slo.names else (other(slo.label, ""),) if slo.each else ()
    by = ("environment", slo.label) if slo.each else ("environment",)

    def rate(signal: Signal) -> str:
        return query(signal, by, BASE, where)

    errors, events = _halves(slo, rate, where)
    own: tuple[tuple[str, str], ...] = (("slo", slo.name), ("team", slo.team))
    if not slo.each:
        own = (("scope", slo.scope), *own)
    carried = ("environment", "scope") if slo.each else ("environment",)

    def scoped(expression: str) -> str:
        if not slo.each:
            return expression
        return f'sum by (environment, scope) (label_replace({expression}, "scope", "$1", "{slo.label}", "(.+)"))'

    made: list[tuple[str, str]] = [(_ERRORS, errors), (_EVENTS, events)]
    if slo.sli == "cost":
        made.append((_TRAFFIC, rate(LLM_CALLS)))
    return tuple(Formula(record, scoped(expression), carried, own) for record, expression in made)


def _halves(slo: Slo, rate: Callable[[Signal], str], where: Matches) -> tuple[str, str]:
    """PromQL of what went wrong and of all that happened, both per second."""
    match slo.sli:
        case "availability":
            up = f"avg_over_time({selector('up', (equal('job', 'platform'), *where))}[{BASE}])"
            return f"sum by (environment) (1 - {up})", f"count by (environment) ({up})"
        case "requests":
            return _counted(rate, HTTP_SERVER_ERRORS, HTTP_REQUESTS)
        case "errors":
            return _counted(rate, AGENT_FAILURES, AGENT_QUERIES)
        case "success":
            return _counted(rate, CONVERSATIONS_MISSED, CONVERSATIONS_ENDED)
        case "cost":
            pace = _number(Decimal(str(slo.budget_usd)) / slo.window_seconds)
            return rate(LLM_COST), f"0 * {rate(LLM_COST)} + {pace}"
        case _:
            succeeded = (equal("status", "success"),) if slo.sli == "latency" else ()
            # Both from one series: what is scraped, less what was recorded some seconds before, is noise when nothing goes
            # wrong, and what of it is above zero would stay as errors.
            in_time = Rate("", "", "", "ops", TIMED[slo.sli], succeeded, at_most=slo.target_seconds)
            every = replace(in_time, at_most=inf)
            return f"clamp_min({rate(every)} - {rate(in_time)}, 0)", rate(every)


def _counted(rate: Callable[[Signal], str], part: Rate, whole: Rate) -> tuple[str, str]:
    return f"{rate(part)} or 0 * {rate(whole)}", rate(whole)


def _facts(slo: Slo) -> tuple[Formula, ...]:
    own = (("slo", slo.name), ("team", slo.team))
    numbers = ((_OBJECTIVE, 1 - slo.budget), (_BUDGET, slo.budget), (_PERIOD, Decimal(slo.window_seconds)))
    return tuple(Formula(record, f"vector({_number(number)})", (), own) for record, number in numbers)


def _number(number: Decimal) -> str:
    """A decimal as people write it, to 15 digits; never with an exponent."""
    text = f"{round(number, 15):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _step(window: str) -> float:
    """How far apart a window is looked at, in seconds."""
    return 60.0 if duration_seconds(window) <= _SHORT_SECONDS else duration_seconds(BASE)


def _summed(record: str, window: str) -> str:
    return f"sum_over_time({record}[{window}:{_step(window):g}s])"


def _now() -> Formula:
    return Formula(ratio(BASE), f"{_ERRORS} / ({_EVENTS} > 0)", LABELS)


def _window(window: str, of: str = "") -> Formula:
    return Formula(ratio(window), f"{_summed(_ERRORS + of, window)} / ({_summed(_EVENTS + of, window)} > 0)", LABELS)


def _joined(left: str, operator: str, fact: str) -> str:
    return f"{left} {operator} on (slo, team) group_left () {fact}"


def _burn(window: str) -> Formula:
    return Formula(burn(window), _joined(ratio(window), "/", _BUDGET), LABELS)


def _spending(pairs: tuple[tuple[str, str], ...]) -> tuple[Formula, ...]:
    """The share of the budget that the long window takes at its own pace, and at the pace of the short one."""
    return tuple(
        Formula(spent(long, pace), _joined(ratio(pace), "/", f"({_BUDGET} * {_PERIOD} / {duration_seconds(long):g})"), LABELS)
        for long, short in pairs
        for pace in (long, short)
    )


def _traffic(window: str) -> Formula:
    """How many events there were; where these are money, how many calls."""
    if window == BASE:
        return Formula(counted(window), f"({_TRAFFIC} or {_EVENTS}) * {duration_seconds(BASE):g}", LABELS)
    traffic, events = (_summed(record, window) for record in (_TRAFFIC, _EVENTS))
    return Formula(counted(window), f"({traffic} or {events}) * {_step(window):g}", LABELS)


def _usual() -> Formula:
    """Events of half an hour, as is usual now: the lesser of yesterday's and of a week ago, or else of an hour ago."""

    def mean(ago: str) -> str:
        traffic, events = (f"avg_over_time({record}[30m:60s] offset {ago})" for record in (_TRAFFIC, _EVENTS))
        return f"({traffic} or {events})"

    hour, day, week = map(mean, ("1h", "1d", "1w"))
    return Formula(USUAL, f"({day} < {week} or {week} or {day} or {hour}) * 1800", LABELS)


def _missing() -> Formula:
    """1 where a service level was measured within the last day, and is not now, though it is still one."""
    by = "environment, slo, team"
    seen = f"group by ({by}) (last_over_time({_ERRORS}[1d]))"
    lost = f"{seen} unless group by ({by}) ({_ERRORS})"
    return Formula(MISSING, f"({lost}) and on (slo, team) {_OBJECTIVE}", ("environment", "slo", "team"))


def _periods(settings: Settings) -> list[tuple[int, str]]:
    """The lengths in days over which service levels are kept, each with a selector of those that it is for."""
    days = sorted({slo.window_days for slo in settings.slo})
    names = {period: tuple(slo.name for slo in settings.slo if slo.window_days == period) for period in days}
    return [(period, selector("", (one_of("slo", names[period]),)) if len(days) > 1 else "") for period in days]


def _period_burn(settings: Settings) -> Formula:
    every = " or ".join(ratio(f"{days}d") for days, _ in _periods(settings))
    return Formula(PERIOD_BURN, _joined(f"({every})", "/", _BUDGET), LABELS)
