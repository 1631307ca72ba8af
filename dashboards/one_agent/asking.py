"""Questions about the chosen agent with all of its versions together: their answers are recorded, those by version are not."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.agents import AGENT_BUILD
from contract.signals.model import Matches, Quantile, Signal
from dashboards.lib.filters import matched
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery
from recording_rules import registry
from recording_rules.slo import one_of

NO_TRAFFIC = "no queries in range"


def of_agent(signal: Signal, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), ago: str = "") -> str:
    """PromQL of a signal for the chosen agent and environments, as it was `ago` before."""
    return registry.query(signal, by, window, (*where, matched("environment"), matched("agent")), ago)


def course(
    signal: Signal, by: tuple[str, ...] = (), *, window: str = "5m", legend: str = "", step: str | None = None
) -> PromQuery:
    """The same over time. Without `legend` its series are called by the values of `by`, or by the signal's title."""
    named_by = " · ".join(f"{{{{{label}}}}}" for label in by) or signal.title
    return PromQuery(expr=of_agent(signal, by, window), legend=legend or named_by, step=step)


def percentiles(
    signal: Quantile,
    at: tuple[float, ...],
    by: tuple[str, ...] = (),
    *,
    window: str = "5m",
    legend: str = "{{figure}}",
    step: str | None = None,
) -> PromQuery:
    """Several quantiles in one query, called p50, p95 and so on."""
    parts = {signal.at(q).title: of_agent(signal.at(q), by, window) for q in at}
    return PromQuery(expr=union("figure", parts), legend=legend, step=step)


def latency_targets(settings: Settings) -> str:
    """PromQL of the response times in seconds that service levels promise of the chosen agent; nothing where there are none."""
    parts = {}
    for slo in settings.slo:
        if slo.sli == "latency":
            narrowed = (one_of("agent", slo.agents),) if slo.agents else ()
            parts[f"target of {slo.name}"] = f"0 * max({of_agent(AGENT_BUILD, (), '', narrowed)}) + {slo.target_seconds:g}"
    return union("figure", parts)
