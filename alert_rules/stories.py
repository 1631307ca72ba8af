"""The stories that every alert is proven with: it fires, stays quiet, recovers, and bears silence and loss of its source."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from alert_rules.model import Alert, Flow, Kind, Labels, Phase, Scenario
from contract.catalogue import metric
from contract.settings import Settings
from contract.values import duration_seconds

MINUTE = 60.0
SOURCE_HOLD_SECONDS = 60.0
"""How long a source has to be gone before AllTargetsDown says so."""


@dataclass(frozen=True)
class Story:
    """How it looks when things go badly, well, and badly with next to no traffic (empty where traffic plays no part).

    `shows` is the signal's value when things go badly, or a function that gives it at a moment (seconds from the start).
    `begins` is how long things have to go badly before the condition holds. `still` is how it looks when nothing moves, where
    that is not simply zero everywhere. `lingers` is how long the value is remembered when its source is gone.
    """

    labels: Labels
    bad: tuple[Flow, ...]
    good: tuple[Flow, ...]
    shows: float | Callable[[float], float]
    sparse: tuple[Flow, ...] = ()
    begins: float = 0.0
    still: tuple[Flow, ...] | None = None
    lingers: float = 0.0

    def value(self, moment: float) -> float:
        return self.shows(moment) if callable(self.shows) else self.shows


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


def _still(flows: tuple[Flow, ...]) -> tuple[Flow, ...]:
    return tuple(Flow(flow.series, flow.labels, 0.0) for flow in flows)


def standard(tell: Callable[[Alert, Settings], Story]) -> Callable[[Alert, Settings], tuple[Scenario, ...]]:
    """All kinds of scenario from one story. Moments are such that they hold for every limit the settings may give."""

    def scenarios(alert: Alert, settings: Settings) -> tuple[Scenario, ...]:
        story, hold = tell(alert, settings), alert.hold_seconds
        step = duration_seconds(settings.sources.prometheus.scrape_interval)
        # A rate needs two samples; a gauge speaks at once.
        fires = story.begins + hold + (step if story.bad[0].counts else 0.0)
        before = (max(fires - MINUTE, 0.0),) if hold or story.begins else ((0.0,) if fires else ())
        bad_end = fires + 2 * MINUTE
        forgotten = bad_end + alert.window_seconds + alert.keep_seconds + 2 * MINUTE
        missed = bad_end + step + SOURCE_HOLD_SECONDS
        bad, rest, long = Phase(bad_end, story.bad), forgotten - bad_end, alert.window_seconds + hold + 5 * MINUTE
        still = _still(story.bad) if story.still is None else story.still
        quiet = (story.begins + hold, fires + MINUTE, long)

        def scenario(kind: Kind, text: str, phases: tuple[Phase, ...], calm: tuple[float, ...], *at: float) -> Scenario:
            return Scenario(kind, text, story.labels, phases, calm, tuple((moment, story.value(moment)) for moment in at))

        few = (scenario(Kind.QUIET, "it goes badly, but next to nothing happens", (Phase(long, story.sparse),), quiet),)
        lost = scenario(
            Kind.SOURCE_LOST,
            "the source goes while the alert fires; it stays until it is said that the source is gone, then ends",
            (bad, Phase(rest + story.lingers, None)),
            (forgotten + story.lingers,),
            bad_end + MINUTE,
            missed,
        )
        return (
            scenario(Kind.FIRES, "it goes badly from the first moment", (bad,), before, fires, bad_end),
            scenario(Kind.QUIET, "all is well", (Phase(long, story.good),), quiet),
            *(few if story.sparse else ()),
            scenario(Kind.RECOVERS, "it goes badly, then well", (bad, Phase(rest, story.good)), (forgotten,), bad_end),
            scenario(Kind.NO_TRAFFIC, "nothing moves", (Phase(long, still),), quiet),
            scenario(Kind.NO_DATA, "the source was never there", (Phase(long, None),), quiet),
            replace(lost, source_gone=(missed,)),
        )

    return scenarios
