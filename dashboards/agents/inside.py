"""What holds agents up and what holds them back: room, refusals of providers, the tool protocol, guardrails."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.agents import CAPACITY_USED, GUARDRAIL_BLOCK_RATIO, GUARDRAIL_DECISIONS, QUERIES_IN_PROGRESS
from contract.signals.models import LLM_RATE_LIMITED_RATIO
from contract.signals.tools import MCP_CALLS, MCP_CLIENT_LATENCY, MCP_ERROR_RATIO, MCP_SERVER_LATENCY
from dashboards.agents.most import LATELY, MOST, most
from dashboards.lib import colours
from dashboards.lib.field import at_most, lines, named, painted, tab_link
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, ask, series
from dashboards.lib.tables import COLOURED_TEXT, MERGED, Table, columns

NOT_USED = "not in use: the platform counts none"
_MODEL, _TOOL = "gen_ai_request_model", "gen_ai_tool_name"


def in_flight() -> Panel:
    return most(
        QUERIES_IN_PROGRESS,
        "",
        name="in_flight",
        title="Queries in flight",
        description=(
            f"{QUERIES_IN_PROGRESS.description}, of the {MOST} agents with most at each moment. They pile up and the rate of "
            "queries does not: answers hang, or wait for a place; see what is slow in 'Response time'."
        ),
        unit="locale",
        decimals=0,
        no_value="no agent seen",
    )


def capacity(settings: Settings) -> Panel:
    limits = settings.thresholds
    return most(
        CAPACITY_USED,
        "5m",
        name="capacity",
        title="Capacity used",
        description=(
            f"{CAPACITY_USED.description}, over five minutes, of the {MOST} fullest. Beyond the limit queries wait or are "
            "refused: give the agent room, or limit who asks most."
        ),
        unit="percentunit",
        no_value="no limit is configured",
        limits=lines((limits.capacity_ratio, colours.DEGRADED), (limits.capacity_ratio_critical, colours.DOWN)),
        drawn="dashed",
    )


def refused(settings: Settings) -> Panel:
    limit = settings.thresholds.rate_limited_ratio
    return TimeSeries(
        name="refused",
        title="Refused calls",
        description=(
            f"{LLM_RATE_LIMITED_RATIO.description}, over five minutes. Admission control from outside: ask for a higher limit, "
            "spread the load, or let another model answer."
        ),
        targets=(series(LLM_RATE_LIMITED_RATIO, (_MODEL,), window="5m"),),
        unit="percentunit",
        minimum=0,
        no_value="no traffic in range",
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        always_last=LATELY,
        calculations=("lastNotNull", "max"),
        links=(tab_link("Models side by side", "models"),),
    )


def protocol(settings: Settings) -> Panel:
    client = ask(MCP_CLIENT_LATENCY, (_TOOL,), "1h")
    server = ask(MCP_SERVER_LATENCY, (_TOOL,), "1h")
    asked = {
        "Calls": f"3600 * {ask(MCP_CALLS, (_TOOL,), '1h')} > 0",
        "Failed": ask(MCP_ERROR_RATIO, (_TOOL,), "1h"),
        "Client": f"{client} >= 0",
        "Server": f"{server} >= 0",
        "Protocol": f"clamp_min({client} - {server}, 0)",
    }
    values = {f"Value #{chr(65 + place)}": name for place, name in enumerate(asked)}
    limit = settings.thresholds.tool_error_ratio
    return Table(
        name="protocol",
        title="Tools behind MCP servers, last hour",
        description=(
            "Calls over the Model Context Protocol by tool: how many, the share that failed, the 95th percentile as the agent "
            "and as the server see it, and the difference, which is the way between them. Much of it: network, or a server "
            "that queues; both slow: the tool itself."
        ),
        targets=tuple(PromQuery(expr=expr, instant=True, format="table") for expr in asked.values()),
        width=15,
        no_value=NOT_USED,
        transformations=(MERGED, *columns({_TOOL: "Tool", **values})),
        sorted_by="Calls",
        paged=True,
        overrides=(
            named("Calls", unit="locale", decimals=0, custom_width=80),
            named("Failed", unit="percentunit", decimals=1, thresholds=at_most(limit).to_json_data(),
                  custom_cellOptions=COLOURED_TEXT, custom_width=85),
            *(named(name, unit="s", decimals=0, custom_width=95) for name in ("Client", "Server", "Protocol")),
        ),
    )  # fmt: skip


def guardrails(settings: Settings) -> Panel:
    limit = settings.thresholds.guardrail_block_ratio
    return TimeSeries(
        name="guardrail_blocks",
        title="Blocked by guardrails",
        description=(
            f"{GUARDRAIL_BLOCK_RATIO.description}, over five minutes, by guardrail, all agents. It jumps: somebody tries the "
            "limits, or a new rule is too strict; read some of what was blocked."
        ),
        targets=(series(GUARDRAIL_BLOCK_RATIO, ("guardrail",), window="5m"),),
        unit="percentunit",
        minimum=0,
        no_value=NOT_USED,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        soft_maximum=limit * 1.2,
        always_last=LATELY,
        calculations=("lastNotNull", "max"),
    )


def decisions() -> Panel:
    return TimeSeries(
        name="guardrail_decisions",
        title="What guardrails decide, per minute",
        description=(
            "Decisions of all guardrails, per minute over five minutes: let through, personal data taken out, blocked. None at "
            "all with busy agents: the guardrails are not asked."
        ),
        targets=(PromQuery(expr=f"60 * {ask(GUARDRAIL_DECISIONS, ('decision',), '5m')}", legend="{{decision}}"),),
        unit="none",
        minimum=0,
        no_value=NOT_USED,
        style="bars",
        stacked=True,
        always_last=LATELY,
        calculations=("lastNotNull", "max"),
        legend_placement="right",
        overrides=painted({"allow": colours.GREEN, "redact": colours.AMBER, "block": colours.RED}),
    )
