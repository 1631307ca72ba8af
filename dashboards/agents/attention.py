"""Who needs attention: agents and tools near or beyond a limit, or suddenly worse than yesterday; healthy ones are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from contract.settings import Settings
from contract.signals.agents import (
    AGENT_ERROR_RATIO,
    AGENT_FAILURES,
    AGENT_LATENCY,
    AGENT_QUERIES,
    AGENT_RETRIES,
    CAPACITY_USED,
    RETRIES_PER_QUERY,
)
from contract.signals.model import Change, Rate, Signal
from contract.signals.tools import TOOL_ERROR_RATIO, TOOL_FAILURES
from contract.values import duration_seconds
from dashboards.lib import colours
from dashboards.lib.field import Json, Thresholds, named, narrowing_link, tab_link
from dashboards.lib.filters import acting
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, ask
from dashboards.lib.tables import COLOURED_TEXT, MERGED, Table, columns

NEAR = 0.8
"""Share of a limit from which on somebody is shown."""
HALF, TWICE = 0.5, 2.0
"""From this share of a limit on, so many times as much as yesterday is a sudden change."""
MOST = 20
YESTERDAY = "1d"
KEPT = ("environment",)
"""Filters that a link to one agent hands on, and that act on every part of the question."""


@dataclass(frozen=True)
class _Concern:
    """What is looked at, of whom, over which time; `enough` things must have happened in it."""

    words: str
    signal: Signal
    label: str
    window: str
    limit: float
    counted: Rate
    enough: int

    @property
    def by(self) -> tuple[str, ...]:
        return ("environment", self.label)

    def _guarded(self, value: str) -> str:
        happened = f"{_ask(self.counted, self.by, self.window)} * {duration_seconds(self.window):g} >= {self.enough}"
        return f"(({value}) and ({happened}))"

    def level(self) -> str:
        """How much of the limit is reached: 1 is the limit."""
        return self._guarded(f"{_ask(self.signal, self.by, self.window)} / {self.limit:g}")

    def change(self) -> str:
        """Now / the same time yesterday."""
        name = f"{self.signal.key}_since_yesterday"
        compared = Change(name, self.signal.title, self.signal.description, "none", self.signal, YESTERDAY)
        return self._guarded(_ask(compared, self.by, self.window))


def _ask(signal: Signal, by: tuple[str, ...], window: str) -> str:
    with acting(KEPT):
        return ask(signal, by, window)


def _concerns(settings: Settings) -> tuple[_Concern, ...]:
    limits = settings.thresholds
    percentile, failures = limits.minimum_queries_percentile, limits.minimum_failures
    return (
        _Concern("errors", AGENT_ERROR_RATIO, "agent", "1h", limits.error_ratio, AGENT_FAILURES, failures),
        _Concern("slow answers (p95)", AGENT_LATENCY, "agent", "1h", limits.response_seconds, AGENT_QUERIES, percentile),
        _Concern("retries", RETRIES_PER_QUERY, "agent", "5m", limits.retries_per_query, AGENT_RETRIES,
                 limits.minimum_retries),
        _Concern("capacity", CAPACITY_USED, "agent", "5m", limits.capacity_ratio, AGENT_QUERIES, limits.minimum_queries),
        _Concern("errors", TOOL_ERROR_RATIO, "tool", "15m", limits.tool_error_ratio, TOOL_FAILURES, failures),
    )  # fmt: skip


def board(settings: Settings) -> Panel:
    concerns = _concerns(settings)
    levels = _together({concern: concern.level() for concern in concerns})
    changes = _together({concern: concern.change() for concern in concerns})
    headings = {
        "agent": "Agent", "tool": "Tool", "environment": "Environment", "concern": "Concern", "Value #A": "Of the limit",
        "Value #B": "Against yesterday",
    }  # fmt: skip
    near = Thresholds(colours.AMBER, ((1.0, colours.DOWN),))
    return Table(
        name="attention",
        title="Needs attention",
        description=(
            f"Agents and tools that have reached {NEAR:.0%} of the limit at which an alert begins, or half of it and "
            f"{TWICE:g} times as much as at the same time yesterday; the nearest to their limit first, and nobody with too "
            "little traffic to tell. Errors and slow answers of agents over an hour, errors of tools over a quarter of one, "
            "retries and capacity over five minutes. Much worse than yesterday: look for a release; near the limit every day: "
            "it is not built for what is asked."
        ),
        targets=(
            PromQuery(expr=f"topk({MOST}, ({levels}) >= {HALF:g})", format="table", instant=True),
            PromQuery(
                expr=f"topk({MOST}, (({changes}) >= {TWICE:g}) and (({levels}) >= {HALF:g}))", format="table", instant=True
            ),
        ),
        no_value="all are well: nobody is near a limit or much worse than yesterday",
        transformations=(
            MERGED,
            *columns(headings),
            _only_where("all", {"Of the limit": HALF}),
            _only_where("any", {"Of the limit": NEAR, "Against yesterday": TWICE}),
        ),
        sorted_by="Of the limit",
        paged=True,
        overrides=(
            named("Agent", links=[narrowing_link("This agent in detail", "one-agent", "agent", "${__value.raw}", KEPT)]),
            named("Tool", links=[tab_link("Executions, tools, workflows", "executions")]),
            named("Of the limit", unit="percentunit", decimals=0, thresholds=near.to_json_data(),
                  custom_cellOptions=COLOURED_TEXT),
            named("Against yesterday", unit="suffix:x", decimals=1),
        ),
    )  # fmt: skip


def _together(parts: Mapping[_Concern, str]) -> str:
    """Several questions as one, each marked by what is looked at, of the agents that are chosen.

    These are named once at the end, for the filters may write out two hundred of them. Tools are everybody's.
    """
    chosen = ask(AGENT_QUERIES, ("agent",), "1h")
    of_agents = {concern: asked for concern, asked in parts.items() if concern.label == "agent"}
    of_tools = {concern: asked for concern, asked in parts.items() if concern.label != "agent"}
    return f"(({_marked(of_agents)}) and on (agent) {chosen})\nor {_marked(of_tools)}"


def _marked(parts: Mapping[_Concern, str]) -> str:
    return "\nor ".join(f'label_replace({asked}, "concern", "{concern.words}", "", "")' for concern, asked in parts.items())


def _only_where(match: Literal["all", "any"], least: Mapping[str, float]) -> Json:
    """Only rows of which all, or any, of these columns have at least so much."""
    filters = [
        {"fieldName": name, "config": {"id": "greaterOrEqual", "options": {"value": value}}} for name, value in least.items()
    ]
    return {"id": "filterByValue", "options": {"type": "include", "match": match, "filters": filters}}
