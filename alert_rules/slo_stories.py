"""Stories of service levels: one of the site's own goes badly, loses its traffic, or is no longer measured."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from math import ceil

from alert_rules.model import Alert, Flow, Kind, Labels, Phase, Scenario
from alert_rules.stories import MINUTE, SOURCE_HOLD_SECONDS, Story, durations, standard, uneven
from contract.catalogue import metric
from contract.settings import Settings
from contract.slo import TIMED, Slo
from contract.values import duration_seconds
from recording_rules.slo import BASE, PAGES, TICKETS

_SHORT = dict((*PAGES, *TICKETS))
_LAST = ("cost", "availability")
"""What stories are about only where a site has nothing else: they are not counted in events."""
_MODEL = {
    "gen_ai_operation_name": "chat",
    "gen_ai_provider_name": "openai",
    "gen_ai_request_model": "gpt-4.1",
}


def subject(settings: Settings, share: float, window: str, paging: bool) -> tuple[Slo, str] | None:
    """A service level that can spend this share of its budget within the window, and an environment of it; None without any."""
    wakes, known = settings.notifications.paging_environments, settings.environments
    able = [slo for slo in settings.slo if slo.sli == "cost" or slo.burn_factor(share, window) * slo.budget < 1]
    for slo in sorted(able, key=lambda slo: slo.sli in _LAST):
        for environment in slo.where(wakes, known):
            if environment in wakes or not paging:
                return slo, environment
    return None


def _labels(alert: Alert, slo: Slo, environment: str) -> Labels:
    single = "billing" if slo.label == "agent" else "gpt-4.1"
    scope = (slo.names or (single,))[0] if slo.each else slo.scope
    told = {"environment": environment, "scope": scope, "slo": slo.name, "team": slo.team}
    return tuple((label, told[label]) for label in alert.by)


def flows(slo: Slo, environment: str, wrong: float, per_minute: float) -> tuple[Flow, ...]:
    """Events of a service level, of which this share goes wrong; of money, how many times the even pace is spent."""

    def flow(series: str, share: float, **labels: str) -> Flow:
        return Flow(series, tuple(sorted(({"environment": environment} | labels).items())), per_minute * share)

    agent = slo.agents[0] if slo.agents else "billing"
    model = _MODEL | {"gen_ai_request_model": (*slo.models, "gpt-4.1")[0], "environment": environment}
    match slo.sli:
        case "availability":
            target = {"instance": "127.0.0.1:9470", "job": "platform"}
            return (Flow("up", tuple(sorted(({"environment": environment} | target).items())), 1 - wrong),)
        case "requests":
            http = {"handler": "/api/me", "method": "GET"}
            return tuple(
                flow("http_requests_total", share, status=status, **http)
                for status, share in (("200", 1 - wrong), ("500", wrong))
            )
        case "errors":
            ends = (("success", 1 - wrong), ("error", wrong))
            return tuple(
                flow("agent_queries_total", share, agent=agent, status=status, version="1.4.0") for status, share in ends
            )
        case "success":
            ends = (("achieved", 1 - wrong), ("missed", wrong))
            return tuple(flow("platform_conversations_ended_total", share, agent=agent, goal=goal) for goal, share in ends)
        case "cost":
            pace = 60 * float(slo.budget_usd or 0) / slo.window_seconds if per_minute else 0.0
            spent = flow("gen_ai_usage_cost_usd_total", 1.0, agent=agent, **model)
            return (
                replace(spent, amount=wrong * pace),
                flow("gen_ai_client_operation_duration_seconds_count", 1.0, error_type="", **model),
            )
        case _:
            name, target_seconds = TIMED[slo.sli], float(slo.target_seconds or 0)
            bounds = metric(name).buckets
            slower = (*bounds, 2 * bounds[-1])[bisect_right(bounds, target_seconds)]
            about = {
                "responses": {"handler": "/api/me", "method": "GET"},
                "latency": {"agent": agent, "status": "success", "version": "1.4.0"},
                "first_token": model,
            }[slo.sli]
            labels = tuple(sorted((about | {"environment": environment}).items()))
            in_time = durations(name, labels, target_seconds, per_minute * (1 - wrong))
            return (*in_time, *durations(name, labels, slower, per_minute * wrong))


def burning(alert: Alert, settings: Settings) -> Story:
    """A service level that goes so badly that its budget burns too fast, from the first moment."""
    share = alert.limit(settings)
    slo, environment = subject(settings, share, alert.window, alert.paging) or (settings.slo[0], settings.environments[0])
    begins = float(slo.burn_factor(share, alert.window) * slo.budget)
    wrong = 4 * begins if slo.sli == "cost" else (1 + begins) / 2
    least = settings.thresholds.minimum_slo_events
    bad, good = (flows(slo, environment, part, 10.0 * least) for part in (wrong, begins / 2))
    # Windows of more than two hours are looked at every five minutes, shorter ones every minute.
    window = alert.window_seconds
    step, look = MINUTE if window < 86400 else 4 * MINUTE, MINUTE if window <= 7200 else 5 * MINUTE
    shows = share * wrong / begins

    def seen(moment: float, _last: float) -> float:
        """A rate sees the first five minutes in part. Money shows it, for it is not divided by what happened."""
        ages = [n * look for n in range(1, int(moment // look) + 1)]
        parts = (1.0 if age + 1.1 * step > 300.0 else (age + step / 2) / 300.0 for age in ages)
        return shows * sum(parts) / len(ages)

    # The short window ends the alert; each of its looks sees five minutes.
    forgets = duration_seconds(_SHORT[alert.window]) + duration_seconds(BASE)
    value = seen if slo.sli == "cost" else shows
    told = Story(_labels(alert, slo, environment), bad, good, value, step=step, forgets=forgets)
    if slo.sli == "availability":  # time is never scarce, does not stop, and counts from the first look on
        return replace(told, still=flows(slo, environment, 0.0, 1.0), begins=(ceil((least + 1) / look) - 1) * look)
    sparse = flows(slo, environment, wrong, least / 2 / (window / 60))
    return replace(told, sparse=sparse, begins=ceil(look / step) * step - step)


def all_kinds(alert: Alert, settings: Settings) -> tuple[Scenario, ...]:
    """The standard scenarios. A source that stays away is no end of these alerts: then the platform is not available."""

    def away(one: Scenario) -> Scenario:
        # Told in long steps, two more of them pass until it is said that the source is gone.
        return replace(one, quiet=(), firing=one.firing[:1], source_gone=(one.source_gone[0] + 2 * one.step,))

    return tuple(away(one) if one.kind is Kind.SOURCE_LOST else one for one in standard(burning)(alert, settings))


def stopped(alert: Alert, settings: Settings) -> Story:
    """Traffic that stops after two good hours."""
    least = settings.thresholds.minimum_slo_events
    slo, environment = subject(settings, 0.0, "1h", alert.paging) or (settings.slo[0], settings.environments[0])
    good, bad = (flows(slo, environment, 0.0, per_minute) for per_minute in (10.0 * least, 0.0))
    base = 5 * MINUTE
    step = uneven(MINUTE, base)
    lead, begins = ceil(7200.0 / step) * step, (base // step - 1) * step
    return Story(_labels(alert, slo, environment), bad, good, 300.0 * least, begins=begins, lead=lead, step=step)


def unmeasured(alert: Alert, settings: Settings) -> tuple[Scenario, ...]:
    """A service level whose series end."""
    slo, environment = subject(settings, 0.0, "1h", alert.paging) or (settings.slo[0], settings.environments[0])
    labels, measured = _labels(alert, slo, environment), flows(slo, environment, 0.0, 600.0)
    there, gone = Phase(10 * MINUTE, measured), Phase(alert.hold_seconds + 10 * MINUTE, None)
    # A rate of five minutes ends five minutes later; of what is no counter, its last sample counts longer.
    late = 0.0 if measured[0].counts else duration_seconds(settings.sources.prometheus.scrape_interval)
    fires = there.seconds + 5 * MINUTE + alert.hold_seconds + late
    ends, after = there.seconds + gone.seconds, Phase(alert.keep_seconds + 5 * MINUTE, measured)
    long = Phase(fires + MINUTE, measured)
    forgotten = ends + after.seconds

    def fired(kind: Kind, story: str, phases: tuple[Phase, ...], quiet: tuple[float, ...], *at: float) -> Scenario:
        return Scenario(kind, story, labels, phases, quiet, tuple((moment, 1.0) for moment in at))

    quiet = (there.seconds, fires)
    lost = fired(Kind.SOURCE_LOST, "it fires because the source is gone, which is said too", (there, gone), (), fires, ends)
    return (
        fired(Kind.FIRES, "its series end", (there, gone), (fires - MINUTE,), fires, ends),
        Scenario(Kind.QUIET, "all is well", labels, (long,), quiet),
        fired(Kind.RECOVERS, "its series come back", (there, gone, after), (forgotten,), ends),
        Scenario(Kind.NO_TRAFFIC, "nothing moves", labels, (Phase(long.seconds, flows(slo, environment, 0.0, 0.0)),), quiet),
        Scenario(Kind.NO_DATA, "it was never measured", labels, (Phase(long.seconds, None),), quiet),
        Scenario(
            lost.kind, lost.story, labels, lost.phases, lost.quiet, lost.firing, (there.seconds + 2 * SOURCE_HOLD_SECONDS,)
        ),
    )
