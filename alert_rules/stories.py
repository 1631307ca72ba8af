"""The stories that every alert is proven with: it fires, stays quiet, recovers, and bears silence and loss of its source."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain, count
from math import ceil

from alert_rules.model import Alert, Flow, Kind, Labels, Phase, Scenario
from contract.catalogue import metric
from contract.settings import Settings
from contract.values import duration_seconds

MINUTE = 60.0
SOURCE_HOLD_SECONDS = 60.0
"""How long a source has to be gone before AllTargetsDown says so."""


@dataclass(frozen=True)
class Story:
    """How it looks when things go badly, well, and badly with next to no traffic (empty where traffic plays no part). In `rare`
    there is traffic, of which a bad part is still too few (empty where that cannot be, or plays no part).

    `shows` is the signal's value when things go badly, or a function that gives it at a moment from that moment and the one of
    the last sample (seconds from the start, as if all had been well for no longer than `lead`).
    `begins` is how long things have to go badly before the condition holds. `still` is how it looks when nothing moves, where
    that is not simply zero everywhere. `lingers` is how long the value is remembered when its source is gone. `lead` is how
    long all is well before things go badly, for figures that are compared with their past; `past` is how that looked where next
    to nothing happens. `step` is the seconds between samples, 0 for those of the settings. `forgets` is for how long what was
    bad keeps the condition true, where that is shorter than the alert's window.
    """

    labels: Labels
    bad: tuple[Flow, ...]
    good: tuple[Flow, ...]
    shows: float | Callable[[float, float], float]
    sparse: tuple[Flow, ...] = ()
    rare: tuple[Flow, ...] = ()
    begins: float = 0.0
    still: tuple[Flow, ...] | None = None
    lingers: float = 0.0
    lead: float = 0.0
    past: tuple[Flow, ...] = ()
    step: float = 0.0
    forgets: float = 0.0

    def value(self, moment: float, last: float) -> float:
        return self.shows(moment, last) if callable(self.shows) else self.shows


def uneven(step: float, window: float) -> float:
    """A slightly shorter step, in whole seconds, of which a window holds no whole number; or else a longer one.

    Where a window begins at a sample, that belongs to it up to Prometheus 2, and no longer since 3: what a story that changes
    shows would depend on that.
    """
    return next(float(other) for other in chain(range(int(step) - 1, 0, -1), count(int(step) + 1)) if window % other)


def durations(name: str, labels: Labels, seconds: float, per_minute: float) -> tuple[Flow, ...]:
    """Observations of a histogram that all fall into the bucket that ends at or after `seconds`."""
    bounds = metric(name).buckets
    reached = [per_minute if bound >= seconds else 0.0 for bound in bounds]
    return (
        *(Flow(f"{name}_bucket", (*labels, ("le", str(bound))), n) for bound, n in zip(bounds, reached, strict=True)),
        Flow(f"{name}_bucket", (*labels, ("le", "+Inf")), per_minute),
        Flow(f"{name}_count", labels, per_minute),
        Flow(f"{name}_sum", labels, per_minute * seconds),
    )


def bucket_after(name: str, bound: float) -> tuple[float, float]:
    """The bucket that follows a bound: from, to."""
    bounds = metric(name).buckets
    return bound, bounds[bisect_right(bounds, bound)]


Tell = Callable[[Alert, Settings], Story]


def level(series: str, labels: Labels, *, bad: float, good: float, still: float = 0.0) -> Tell:
    """The story of a gauge that is bad, good, or stands where it does when nothing happens."""

    def tell(_alert: Alert, _settings: Settings) -> Story:
        flows = [(Flow(series, labels, amount),) for amount in (bad, good, still)]
        return Story(labels, flows[0], flows[1], bad, still=flows[2])

    return tell


def moment(series: str, labels: Labels, remembered: float) -> Tell:
    """The story of a gauge that holds a moment: it stands still, or keeps up with the clock.

    `remembered` is for how many seconds its last value counts on once the gauge is gone.
    """

    def tell(alert: Alert, settings: Settings) -> Story:
        step = duration_seconds(settings.sources.prometheus.scrape_interval)
        good = (Flow(series, labels, 0.0, clock=True),)
        begins = (alert.limit(settings) // step + 1) * step
        return Story(
            labels, (Flow(series, labels, 0.0),), good, lambda at, _: at, begins=begins, still=good, lingers=remembered
        )

    return tell


def events(series: str, labels: Labels) -> Tell:
    """The story of a counter that should hardly move: with every scrape there is more than the limit, or four a minute.

    So many that no window holds half an event, which would be rounded one way or the other: some fifths of one in half a step.
    """

    def tell(alert: Alert, settings: Settings) -> Story:
        step, window = duration_seconds(settings.sources.prometheus.scrape_interval), alert.window_seconds
        fifth = 24 / step  # so many a minute are 0.2 in half a step
        per_minute = ceil(max(4.0, (alert.limit(settings) + 1) * 60 / step) / fifth) * fifth

        def counted(moment: float, last: float) -> float:
            """Prometheus counts half a step more at each end of its samples, or all that is missing there when it is little."""
            first = max(0.0, ceil((moment - window) / step) * step)
            missing = (first - (moment - window), moment - last)
            return per_minute / 60 * (last - first + sum(gap if gap < 1.1 * step else step / 2 for gap in missing))

        bad, good = (Flow(series, labels, amount) for amount in (per_minute, 0.0))
        return Story(labels, (bad,), (good,), counted)

    return tell


def _still(flows: tuple[Flow, ...]) -> tuple[Flow, ...]:
    return tuple(Flow(flow.series, flow.labels, 0.0) for flow in flows)


def standard(tell: Tell) -> Callable[[Alert, Settings], tuple[Scenario, ...]]:
    """All kinds of scenario from one story. Moments are such that they hold for every limit the settings may give."""

    def scenarios(alert: Alert, settings: Settings) -> tuple[Scenario, ...]:
        story, hold = tell(alert, settings), alert.hold_seconds
        step = story.step or duration_seconds(settings.sources.prometheus.scrape_interval)
        # Looking more often than the alert's group does would show nothing else, and take long.
        look = max(1, duration_seconds(alert.group.interval) // step) * step
        # A rate needs two samples; a gauge speaks at once.
        late = step if story.bad[0].counts or story.lead else 0.0

        def looks(seconds: float) -> float:
            """As long, or a little longer: what happens is seen when somebody looks."""
            return ceil(seconds / look) * look

        window = story.forgets or alert.window_seconds
        long = window + hold + 5 * MINUTE
        # Where it goes badly late, it is looked at before that whether all stays well: weeks take promtool long.
        looked_at = looks(long) if story.lead else 0.0
        lead = story.lead + looked_at
        fires = looks(lead + late + story.begins) + looks(hold)
        minute = looks(MINUTE)
        before = (max(fires - minute, 0.0),) if hold or story.begins or story.lead else ((0.0,) if fires else ())
        bad_end = fires + 2 * minute
        forgotten = bad_end + looks(window) + looks(alert.keep_seconds) + 2 * minute
        missed = bad_end + look + looks(SOURCE_HOLD_SECONDS)
        past = (Phase(story.lead, story.good),) if story.lead else ()
        well = (*past, Phase(looked_at or long, story.good))
        bad = (*(well if lead else ()), Phase(bad_end - lead, story.bad))
        rest = forgotten - bad_end
        still = _still(story.bad) if story.still is None else story.still
        quiet = (story.begins + hold, min(fires + MINUTE, long), long)
        # On the way there, what is held against the past meets one that has only just begun.
        young = (story.lead - alert.window_seconds * part // 8 for part in range(8, 0, -1))
        later = quiet if not story.lead else (*young, story.lead + hold, story.lead + long)

        def scenario(kind: Kind, text: str, phases: tuple[Phase, ...], calm: tuple[float, ...], *at: float) -> Scenario:
            return Scenario(
                kind,
                text,
                story.labels,
                phases,
                calm,
                tuple((moment, story.value(moment - looked_at, min(moment, bad_end) - looked_at)) for moment in at),
                step=story.step,
                look=look,
            )

        def after(flows: tuple[Flow, ...], more: float = 0.0) -> tuple[Phase, ...]:
            before = (Phase(story.lead, story.past),) if story.past else past
            return (*before, Phase(long + more, flows))

        # What is counted is that of the whole window, however soon all else is forgotten.
        more = alert.window_seconds - window
        scarce, counted = after(story.sparse, more), (*later[:-1], later[-1] + more)
        few = (scenario(Kind.QUIET, "it goes badly, but next to nothing happens", scarce, counted),)
        seldom = (scenario(Kind.QUIET, "enough happens, of which too few go badly", after(story.rare), later),)
        lost = scenario(
            Kind.SOURCE_LOST,
            "the source goes while the alert fires; it stays until it is said that the source is gone, then ends",
            (*bad, Phase(rest + story.lingers, None)),
            (forgotten + story.lingers,),
            bad_end + minute,
            missed,
        )
        return (
            scenario(Kind.QUIET, "all is well", well, later),
            scenario(Kind.FIRES, "it goes badly from the first moment", bad, before, fires, bad_end),
            *(few if story.sparse else ()),
            *(seldom if story.rare else ()),
            scenario(Kind.RECOVERS, "it goes badly, then well", (*bad, Phase(rest, story.good)), (forgotten,), bad_end),
            scenario(Kind.NO_TRAFFIC, "nothing moves", (Phase(long, still),), quiet),
            scenario(Kind.NO_DATA, "the source was never there", (Phase(long, None),), quiet),
            replace(lost, source_gone=(missed,)),
        )

    return scenarios
