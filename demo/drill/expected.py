"""Which alerts each incident brings about: the table that drills are held against.

In virtual time the set is exact, to the last label, because the platform of `lives` is always the same. On the living stack it
depends on the hour and on chance which agents have enough to do: there, the alerts of SURE must come, those of the table may.

`python -m demo.drill virtual` prints what fires, in this form.
"""

from __future__ import annotations

NOTHING = "none"
"""The drill without an incident."""

Table = dict[str, tuple[str, ...]]
"""What an alert is about, by its name: the labels of the data as `agent=billing environment=production`."""

ALWAYS: Table = {"Watchdog": ("–",)}
"""Alerts that fire whatever happens."""

_PRODUCTION = ("environment=production",)
_AGENTS = tuple(f"agent={agent} environment=production" for agent in ("billing", "it-helpdesk", "research", "sales", "support"))
_GEMINI = "environment=production gen_ai_provider_name=gcp.gemini"
_FLASH = f"{_GEMINI} gen_ai_request_model=gemini-2.5-flash"
_MODELS = (
    "environment=production gen_ai_provider_name=anthropic gen_ai_request_model=claude-sonnet-4-5",
    _FLASH,
    "environment=production gen_ai_provider_name=openai gen_ai_request_model=gpt-4.1",
    "environment=production gen_ai_provider_name=self_hosted gen_ai_request_model=llama-3.3-70b",
)
_QUERY = "environment=production handler=/api/agents/{agent}/query"
_API = (
    *("conversations", "conversations/{id}", "conversations/{id}/messages", "documents", "documents/{id}", "feedback"),
    *("login", "me", "search", "tickets", "tickets/{id}", "workflows"),
)
_HANDLERS = (
    _QUERY,
    "environment=production handler=/health",
    *(f"environment=production handler=/api/{path}" for path in _API),
)


def _odd(*figures: str) -> tuple[str, ...]:
    teams = {"cost": "finance"}
    return tuple(
        f"anomaly={figure} environment=production scope=all source=platform team={teams.get(figure, 'platform')}"
        for figure in figures
    )


def _level(name: str, *scopes: str, team: str = "agents") -> tuple[str, ...]:
    return tuple(f"environment=production scope={scope} slo={name} team={team}" for scope in scopes)


EXPECTED: dict[str, Table] = {
    NOTHING: {},
    "latency": {
        "AgentResponseTimeHigh": ("agent=support environment=production",),
        "AgentResponseTimePage": _PRODUCTION,
        "AnomalyHigh": _odd("latency"),
        "HttpResponseTimeHigh": (_QUERY,),
        "ModelFirstChunkSlow": (_FLASH,),
        "ModelResponseTimeHigh": (_FLASH,),
    },
    "errors": {
        "AgentErrorsPage": _PRODUCTION,
        "AgentErrorRatioCritical": _AGENTS,
        "AgentErrorRatioHigh": _AGENTS,
        "AgentHandoffsJumped": ("agent=support environment=production",),
        "AgentSuccessRateLow": _AGENTS,
        "AnomalyHigh": _odd("cost", "errors", "traffic"),
        "HttpErrorRatioHigh": _HANDLERS,
        "ModelErrorRatioHigh": _MODELS,
        "ModelProviderDown": (_GEMINI,),
        "ModelRateLimited": _MODELS,
        "NegativeFeedbackHigh": ("agent=it-helpdesk environment=production", "agent=support environment=production"),
    },
    "cost": {"AnomalyHigh": _odd("cost"), "CostJumped": _PRODUCTION},
    "silence": {
        "SloTrafficStopped": (
            *_level("answers-quick", "it-helpdesk", "support"),
            *_level("first-token", "claude-sonnet-4-5", "gpt-4.1", team="platform"),
            *_level("goals-achieved", "all"),
            *_level("queries-answered", "it-helpdesk", "support"),
        )
    },
}

SURE: dict[str, tuple[str, ...]] = {"errors": ("AgentErrorsPage",)}
"""Alerts that an incident of ten minutes brings about on the living stack, at any hour of the day."""


def expected(kind: str) -> frozenset[tuple[str, str]]:
    """Name and labels of every alert that an incident brings about; `kind` is one of KINDS, or NOTHING."""
    return frozenset(
        (alert, about) for table in (ALWAYS, EXPECTED[kind]) for alert, abouts in table.items() for about in abouts
    )
