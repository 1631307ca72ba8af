"""Was the platform there? Two readings: whether it answered scrapes, and whether it served what was asked of it."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.http import HTTP_REQUESTS, HTTP_SERVER_ERRORS
from contract.slo import Sli
from dashboards.lib import colours
from dashboards.lib.field import PLAIN, Thresholds, Word, at_least, words
from dashboards.lib.figures import Stat
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask
from dashboards.lib.states import StateTimeline

WINDOWS = {"24 h": "24h", "7 d": "7d", "30 d": "30d"}
UP = 'up{job="platform",environment=~"$environment"}'
STATES = {0: Word("silent", colours.DOWN), 1: Word("answers", colours.OK)}


def _promised(settings: Settings, sli: Sli) -> float | None:
    """The strictest objective of service levels of a kind, as a share."""
    objectives = [float(slo.objective) / 100 for slo in settings.slo if slo.sli == sli and slo.objective]
    return max(objectives, default=None)


def _stat(name: str, title: str, description: str, parts: dict[str, str], promised: float | None, no_value: str) -> Panel:
    target = "" if promised is None else f" The promise is {100 * promised:.4g} %."
    return Stat(
        name=name,
        title=title,
        description=f"{description}{target} Time of which Prometheus remembers nothing is left out.",
        targets=(PromQuery(expr=union("window", parts), legend="{{window}}", instant=True),),
        width=7,
        unit="percentunit",
        decimals=2,
        minimum=0,
        maximum=1,
        no_value=no_value,
        limits=PLAIN if promised is None else at_least(promised),
        shown="value_and_name",
        value_size=17,
    )


def scraped(settings: Settings) -> Panel:
    return _stat(
        "availability_scraped",
        "Available, by scrapes",
        "Share of scrapes that the platform's targets answered, each target weighing the same. Below the promise: processes "
        "that stopped, restarts, or the network between; the timeline beside says when.",
        {title: f"avg(avg_over_time({UP}[{window}]))" for title, window in WINDOWS.items()},
        _promised(settings, "availability"),
        "never scraped",
    )


def served(settings: Settings) -> Panel:
    failed, all_ = (ask(signal, ("environment",), "1h") for signal in (HTTP_SERVER_ERRORS, HTTP_REQUESTS))

    def added(rate: str, window: str) -> str:
        return f"sum(sum_over_time(({rate})[{window}:1h]))"

    def lost(window: str) -> str:
        """None where nothing ever failed, and so has no series."""
        return f"({added(failed, window)} or 0 * {added(all_, window)})"

    return _stat(
        "availability_served",
        "Available, by requests",
        "1 - answers of the 5xx class / all answers, each request weighing the same, hour by hour. Lower than by scrapes: it "
        "runs, and fails; higher: it was away while nobody asked.",
        {title: f"(1 - {lost(window)} / ({added(all_, window)} > 0))" for title, window in WINDOWS.items()},
        _promised(settings, "requests"),
        "no traffic",
    )


def timeline() -> Panel:
    return StateTimeline(
        name="availability_timeline",
        title="When did it not answer?",
        description=(
            "Whether all targets of an environment answered their scrapes. Short gaps are restarts; one environment alone: its "
            "host; all at once: the network, or Prometheus itself."
        ),
        targets=(PromQuery(expr=f"min by (environment) (min_over_time({UP}[1m]))", legend="{{environment}}", step="1m"),),
        no_value="never scraped",
        mappings=tuple(words(STATES)),
        limits=Thresholds(colours.DOWN, ((1, colours.OK),)),
        with_legend=False,
    )
