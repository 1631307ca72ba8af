"""Accounts of trouble on the platform, for the stories of alerts: shares, percentiles, gauges, and figures that have changed.

Whatever the limits are: what is bad lies well beyond them and what is good well within, and where next to nothing happens,
there is half of what the first guard asks for, or less, all of it bad.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from math import ceil, isclose

from alert_rules.model import Alert, Flow, Labels
from alert_rules.stories import MINUTE, Story, Tell, bucket_after, durations, uneven
from contract.catalogue import metric
from contract.settings import Settings
from contract.signals.model import Change, Decline, Quantile, Rate
from contract.values import duration_seconds

Happening = Callable[[Labels, float], tuple[Flow, ...]]
"""What one sort of event adds to series: from the labels that it is about and how many there are in a minute."""


def counted(series: str, *labels: tuple[str, str]) -> Happening:
    """Events of a counter."""
    return lambda about, per_minute: (Flow(series, _sorted(about, labels), per_minute),)


def timed(name: str, seconds: float, *labels: tuple[str, str]) -> Happening:
    """Events of a histogram that take so long."""
    return lambda about, per_minute: durations(name, _sorted(about, labels), seconds, per_minute)


def together(*happenings: Happening) -> Happening:
    """Several things that happen at once."""
    return lambda about, per_minute: tuple(flow for one in happenings for flow in one(about, per_minute))


def instead(these: Happening, those: Happening) -> Happening:
    """As many of these, and as many less of those."""
    return lambda about, per_minute: (*these(about, per_minute), *those(about, -per_minute))


def share(labels: Labels, wrong: Happening, right: Happening) -> Tell:
    """Of what happens, too much is wrong."""

    def tell(alert: Alert, settings: Settings) -> Story:
        limit, about = alert.limit(settings), where(alert, settings, labels)

        def events(per_minute: float, failing: float) -> tuple[Flow, ...]:
            return (*wrong(about, per_minute * failing), *right(about, per_minute * (1 - failing)))

        bad, busy = (1 + limit) / 2, often(alert, settings)
        good, sparse = events(busy, limit / 2), events(seldom(alert, settings), 1.0)
        return Story(_named(alert, about), events(busy, bad), good, bad, sparse, step=_step(alert))

    return tell


def slow(labels: Labels, *also: Happening) -> Tell:
    """Everything takes longer than the limit, but no longer than the next bound. `also` is what guards count."""

    def tell(alert: Alert, settings: Settings) -> Story:
        signal, about = alert.signal, where(alert, settings, labels)
        assert isinstance(signal, Quantile)
        lower, upper = bucket_after(signal.metric_name, alert.limit(settings))

        def events(per_minute: float, seconds: float) -> tuple[Flow, ...]:
            return together(timed(signal.metric_name, seconds), *also)(about, per_minute)

        busy, shows = often(alert, settings), lower + (upper - lower) * signal.quantile
        good, sparse = events(busy, lower), events(seldom(alert, settings), upper)
        return Story(_named(alert, about), events(busy, upper), good, shows, sparse, step=_step(alert))

    return tell


def beyond(series: str, labels: Labels, of: str = "") -> Tell:
    """A gauge goes half beyond its limit; with `of`, it is measured by another gauge."""

    def tell(alert: Alert, settings: Settings) -> Story:
        limit, about = alert.limit(settings), where(alert, settings, labels)
        size = 1000.0 if of else 1.0
        whole = (Flow(of, about, size),) if of else ()
        matched = alert.signal.leaves[0].matches
        carried = _sorted(about, tuple((match.label, match.value) for match in matched))
        paces = (1.5, 0.5, 0.0) if alert.comparison == ">" else (0.5, 1.5, 1.5)
        bad, good, still = ((Flow(series, carried, limit * size * pace), *whole) for pace in paces)
        return Story(_named(alert, about), bad, good, limit * paces[0], still=still)

    return tell


def changed(labels: Labels, what: Happening, whole: Happening | None = None, of: str = "") -> Tell:
    """Something happens more often than before; with `whole`, for each of those events. Or less, as the alert compares.

    An alert that does not look back has a limit per second; with `of`, that is a share of this gauge.
    """

    def tell(alert: Alert, settings: Settings) -> Story:
        limit, about, window = alert.limit(settings), where(alert, settings, labels), alert.window_seconds
        if isinstance(alert.signal, Change):
            unit, pace = 1.0, 2 * limit if alert.comparison == ">" else limit / 2
            ordinary = _ordinary(alert, settings)
        else:
            unit, pace, ordinary = limit / 2, 4.0, limit / 2 * 60
        seldom = ordinary / 16 * min(1.0, 1 / pace)
        size = (Flow(of, _sorted(about), 1.0),) if of else ()

        def events(per_minute: float, factor: float) -> tuple[Flow, ...]:
            return (*what(about, per_minute * factor), *(whole(about, per_minute) if whole else ()), *size)

        def shows(good: float, bad: float, beyond: float) -> float:
            """Of a share, both parts reach as far."""
            covered = 1.0 if whole else (good + bad + beyond) / window
            return unit * (good + pace * bad) / (good + bad) * covered

        sparse, past = (events(seldom, pace), events(seldom, 1.0)) if alert.guards else ((), ())
        return _turned(alert, settings, about, events(ordinary, pace), events(ordinary, 1.0), sparse, past, shows)

    return tell


def slower(labels: Labels, *also: Happening) -> Tell:
    """The median of everything that happens is longer than before. `also` is what guards count."""

    def tell(alert: Alert, settings: Settings) -> Story:
        signal, about = alert.signal, where(alert, settings, labels)
        assert isinstance(signal, Change) and isinstance(signal.now, Quantile)
        name = signal.now.metric_name
        bounds = metric(name).buckets
        before = bounds[len(bounds) // 2 - 2], bounds[len(bounds) // 2 - 1]
        usual = sum(before) / 2
        now = bucket_after(name, next(bound for bound in bounds if bound >= usual * alert.limit(settings)))
        ordinary = _ordinary(alert, settings)

        def events(per_minute: float, seconds: float) -> tuple[Flow, ...]:
            return together(timed(name, seconds), *also)(about, per_minute)

        def shows(good: float, bad: float, _beyond: float) -> float:
            middle = (good + bad) / 2
            (low, high), part = (before, middle / good) if middle <= good else (now, (middle - good) / bad)
            return (low + (high - low) * part) / usual

        good, bad = before[1], now[1]
        few, past = events(ordinary / 8, bad), events(ordinary / 8, good)
        return _turned(alert, settings, about, events(ordinary, bad), events(ordinary, good), few, past, shows)

    return tell


def moved(series: str, labels: Labels, beside: Happening) -> Tell:
    """A gauge is not what it was some time ago. `beside` is what says how much it stands on."""

    def tell(alert: Alert, settings: Settings) -> Story:
        limit, about = alert.limit(settings), where(alert, settings, labels)
        carried = _sorted(about, tuple((match.label, match.value) for match in alert.signal.leaves[0].matches))
        worse, good, value = (
            (50.0 - 1.5 * limit, 50.0, 1.5 * limit) if isinstance(alert.signal, Decline) else (2 * limit, 1.0, 2 * limit)
        )
        many = _ordinary(alert, settings) if alert.guards else 2 * alert.also[0].value(settings)

        def figures(amount: float, stands_on: float) -> tuple[Flow, ...]:
            return (Flow(series, carried, amount), *beside(about, stands_on))

        sparse, past = figures(worse, many / 8), figures(good, many / 8)
        return _turned(alert, settings, about, figures(worse, many), figures(good, many), sparse, past, lambda *_: value)

    return tell


def _turned(
    alert: Alert,
    settings: Settings,
    about: Labels,
    bad: tuple[Flow, ...],
    good: tuple[Flow, ...],
    sparse: tuple[Flow, ...],
    past: tuple[Flow, ...],
    shows: Callable[[float, float, float], float],
) -> Story:
    """All has been well for as long as the alert looks back, then it goes badly.

    `shows` gives the value from the seconds between samples of the window that went well, those that went badly, and those by
    which Prometheus takes a rate to reach beyond its samples.
    """
    window, signal = alert.window_seconds, alert.signal
    back = duration_seconds(signal.back) if isinstance(signal, (Change, Decline)) else 0.0
    step = duration_seconds(settings.sources.prometheus.scrape_interval)
    if back:
        step = MINUTE if window < 30 * MINUTE and bad[-1].counts else 4 * MINUTE
    step = uneven(step, window)
    # A rate is held against a window that was counted whole: there were two samples before it.
    lead = (ceil((window + back) / step) + 2 * (isinstance(signal, Change) and isinstance(signal.now, Rate))) * step

    def at(moment: float, last: float) -> float:
        moment = moment if bad[-1].counts else last  # without its gauge, an alert shows its last figure
        gap, first = moment - last, ceil((moment - window) / step) * step
        beyond = first - (moment - window) + (gap if gap < 1.1 * step else step / 2)
        return shows(max(lead - first, 0.0), last - max(lead, first), beyond)

    limit, above = alert.limit(settings), alert.comparison == ">"

    def beyond_limit(steps: int) -> bool:
        """Clearly so: a step at which a story only just reaches its limit may be seen either way."""
        value = at(lead + steps * step, lead + steps * step)
        return (value > limit) == above and not isclose(value, limit, rel_tol=1e-6)

    steps = next(n for n in count(1) if beyond_limit(n))
    named = _named(alert, about)
    return Story(named, bad, good, at, sparse, begins=(steps - 1) * step, lead=lead, past=past, step=step)


def where(alert: Alert, settings: Settings, labels: Labels) -> Labels:
    """These labels, and the environment that a scenario plays in where the alert looks at environments."""
    paging = settings.notifications.paging_environments if alert.paging else ()
    environment = (*paging, *settings.environments)[0]
    return _sorted(labels, (("environment", environment),) if "environment" in alert.by else ())


def often(alert: Alert, settings: Settings) -> float:
    """Events per minute: ten times what the guards ask for comes with every scrape."""
    scrapes = 60 / duration_seconds(settings.sources.prometheus.scrape_interval)
    return 10.0 * scrapes * sum(guard.count(settings) for guard in alert.guards)


def seldom(alert: Alert, settings: Settings) -> float:
    """Events per minute: half of what the first guard asks for."""
    return alert.guards[0].count(settings) / 2 / (duration_seconds(alert.guards[0].window) / 60)


def _ordinary(alert: Alert, settings: Settings) -> float:
    """Events per minute: four times what the guard that asks for most asks for."""
    return max(4 * guard.count(settings) / (duration_seconds(guard.window) / 60) for guard in alert.guards)


def _step(alert: Alert) -> float:
    """Seconds between samples: a day is told in longer steps."""
    return 4 * MINUTE if alert.window_seconds >= 24 * 60 * MINUTE else 0.0


def _sorted(*labels: Labels) -> Labels:
    return tuple(sorted(pair for some in labels for pair in some))


def _named(alert: Alert, about: Labels) -> Labels:
    """The labels of the alert that fires."""
    return tuple((label, dict(about)[label]) for label in alert.by)
