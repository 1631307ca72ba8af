"""The stories that every alert is proven with: it fires, stays quiet, recovers, and bears silence and loss of its source."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from alert_rules.model import Alert, Flow, Kind, Labels, Phase, Scenario
from contract.catalogue import metric
from contract.settings import Settings
from contract.values import duration_seconds

MINUTE = 60.0


@dataclass(frozen=True)
class Story:
    """How it looks when things go badly, well, and badly with next to no traffic (empty where traffic plays no part).

    `shows` is the signal's value when things go badly.
    """

    labels: Labels
    bad: tuple[Flow, ...]
    good: tuple[Flow, ...]
    shows: float
    sparse: tuple[Flow, ...] = ()


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
        fires = hold + (step if story.bad[0].counts else 0.0)
        before = (max(fires - MINUTE, 0.0),) if hold else ((0.0,) if fires else ())
        bad_end = fires + 2 * MINUTE
        forgotten = bad_end + alert.window_seconds + alert.keep_seconds + 2 * MINUTE
        bad, rest, long = Phase(bad_end, story.bad), forgotten - bad_end, alert.window_seconds + hold + 5 * MINUTE
        shown = story.shows
        quiet = (fires, fires + MINUTE, long)

        def scenario(kind: Kind, text: str, phases: tuple[Phase, ...], calm: tuple[float, ...], *at: float) -> Scenario:
            return Scenario(kind, text, story.labels, phases, calm, tuple((moment, shown) for moment in at))

        few = (scenario(Kind.QUIET, "it goes badly, but next to nothing happens", (Phase(long, story.sparse),), quiet),)

        return (
            scenario(Kind.FIRES, "it goes badly from the first moment", (bad,), before, fires, bad_end),
            scenario(Kind.QUIET, "all is well", (Phase(long, story.good),), quiet),
            *(few if story.sparse else ()),
            scenario(Kind.RECOVERS, "it goes badly, then well", (bad, Phase(rest, story.good)), (forgotten,), bad_end),
            scenario(Kind.NO_TRAFFIC, "nothing moves", (Phase(long, _still(story.bad)),), quiet),
            scenario(Kind.NO_DATA, "the source was never there", (Phase(long, None),), quiet),
            scenario(
                Kind.SOURCE_LOST,
                "the source goes while the alert fires; it stays for a while, then ends",
                (bad, Phase(rest, None)),
                (forgotten,),
                bad_end + MINUTE,
            ),
        )

    return scenarios
