"""Alerts on the sources themselves: scrape targets that do not answer.

AllTargetsDown mutes every alert that is made from what these targets say, so that nobody is told that all is well again only
because nothing is known any more.
"""

from __future__ import annotations

from dataclasses import replace

from alert_rules.model import Alert, AlertGroup, Flow, Kind, MetricCheck, Phase, Scenario, Severity
from alert_rules.stories import MINUTE, SOURCE_HOLD_SECONDS
from contract.settings import Settings
from contract.signals.sources import TARGET_UP, TARGETS_UP

GROUP = AlertGroup("source_alerts", "15s")
TARGET = ("environment", "job", "instance")
JOB = ("environment", "job")
PLATFORM, EXPORTER = "127.0.0.1:9470", "127.0.0.1:9464"
"""Targets of the scenarios."""


def _scenarios(alert: Alert, settings: Settings) -> tuple[Scenario, ...]:
    """The stories of a target that answers, stops answering, answers again, was never there, or is taken out of the list."""
    target = (("environment", settings.environments[0]), ("instance", PLATFORM), ("job", "platform"))
    labels = tuple(pair for pair in target if pair[0] in alert.by)
    hold, keep = alert.hold_seconds, alert.keep_seconds
    up, down = (Flow("up", target, answer) for answer in (1.0, 0.0))
    ends = hold + 2 * MINUTE
    forgotten = ends + keep + 2 * MINUTE
    bad, long = Phase(ends, (down,)), Phase(hold + 5 * MINUTE, (up,))
    before, quiet = (max(hold - MINUTE, 0.0),), (hold, hold + MINUTE)

    def fires(kind: Kind, story: str, *phases: Phase, calm: tuple[float, ...], at: tuple[float, ...]) -> Scenario:
        return Scenario(kind, story, labels, phases, calm, tuple((moment, 0.0) for moment in at))

    return (
        fires(Kind.FIRES, "it does not answer", bad, calm=before, at=(hold, ends)),
        Scenario(Kind.QUIET, "it answers", labels, (long,), quiet),
        fires(Kind.RECOVERS, "it answers again", bad, Phase(forgotten - ends, (up,)), calm=(forgotten,), at=(ends,)),
        Scenario(Kind.NO_TRAFFIC, "it answers, and nothing happens", labels, (long,), quiet),
        Scenario(Kind.NO_DATA, "there is no such target", labels, (Phase(long.seconds, None),), quiet),
        fires(
            Kind.SOURCE_LOST,
            "it is taken out of the list of targets while the alert fires",
            bad,
            Phase(forgotten - ends, None),
            calm=(forgotten,),
            at=(ends,),
        ),
    )


TARGET_DOWN = Alert(
    name="TargetDown",
    group=GROUP,
    concern="scrape",
    signal=TARGET_UP,
    by=TARGET,
    window="1m",
    comparison="<",
    threshold=1.0,
    hold="2m",
    keep_firing_for="2m",
    severity=Severity.WARNING,
    team="platform",
    summary="A scrape target does not answer.",
    description="Prometheus cannot read {instance} of job {job} {environment}: it has not answered for {hold}.",
    meaning="Prometheus asks the target for its metrics and gets no answer, or one that it cannot read.",
    impact="The figures of this one target are missing. Where other targets do the same work, sums are too small.",
    checks=(
        MetricCheck("Which targets do not answer?", TARGET_UP, TARGET),
        MetricCheck("Does any target of the job answer?", TARGETS_UP, JOB),
        MetricCheck("Since when? Draw this over a day.", TARGET_UP, ("instance",)),
    ),
    next_steps=(
        "Prometheus' page Status > Targets says why: connection refused, a timeout, HTTP 401, or a text that is not metrics.",
        "Connection refused: the process is not running or listens elsewhere; look at its log and at its last deployment.",
        "A timeout: open the target's page by hand and take the time; a page that takes longer than the scrape is too large.",
        "The target is gone for good: take it out of `scrape:` in `observatory.yaml` and build.",
    ),
    scenarios=_scenarios,
)
ALL_TARGETS_DOWN = replace(
    TARGET_DOWN,
    name="AllTargetsDown",
    signal=TARGETS_UP,
    by=JOB,
    hold=f"{SOURCE_HOLD_SECONDS:.0f}s",
    severity=Severity.CRITICAL,
    summary="A whole source of figures does not answer.",
    description="No target of job {job} {environment} has answered Prometheus for {hold}; what it measures is unknown.",
    meaning="Prometheus gets no answer from any target of a job. It mutes the alerts that are made from what they say: "
    "these are neither firing nor well, they are unknown.",
    impact="Nobody is told of anything that this source would show. The platform may be down, or only its metrics.",
    checks=(MetricCheck("Does any target of the job answer?", TARGETS_UP, JOB), *TARGET_DOWN.checks[:1], TARGET_DOWN.checks[2]),
)

ALERTS = (TARGET_DOWN, ALL_TARGETS_DOWN)
