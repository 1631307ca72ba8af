"""Pages of a platform with any number of agents, as its processes would expose them after some days.

Every agent is drawn by itself: which tools, models, dependencies and kinds of failure it has met, and how many of its versions
are still there. So the pages are not what `observatory capacity` assumes of every agent, but what comes of many different ones.
The series are made by the registry of the demonstration's platform.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from contract.labels import ERROR_TYPES, PRIORITIES
from contract.platform_metrics import METRICS
from demo.platform.registry import Registry

ENVIRONMENTS = ("production", "staging", "development")
TOOLS, MODELS = 20, 8
_PHASES = ("auth", "preprocess", "retrieval", "llm", "tool", "postprocess")
_KINDS = ("llm", "database", "vector", "cache", "external_api")
_FIXED = {
    "api": 8, "cache": 3, "dependency": 16, "file_type": 6, "function": 6, "guardrail": 4, "handler": 40, "operation": 4,
    "pool": 2, "queue": 3, "store": 2, "workflow_type": 5, "tool": TOOLS, "gen_ai_tool_name": TOOLS,
}  # fmt: skip
_STATUS = {"http_requests_total": ("200", "404", "500"), "kb_searches_total": ("found", "empty", "error")}
_LISTS = {
    "priority": PRIORITIES, "decision": ("allow", "block", "redact"), "gen_ai_token_type": ("input", "output"),
    "gen_ai_token_modality": ("text",), "mcp_method_name": ("tools/call",), "state": ("active", "idle"), "method": ("POST",),
}  # fmt: skip


@dataclass(frozen=True)
class Agent:
    """What one agent has met."""

    name: str
    versions: tuple[str, ...]
    tools: tuple[str, ...]
    models: tuple[str, ...]
    dependencies: tuple[str, ...]
    failures: tuple[str, ...]


def agents(number: int, seed: int = 7) -> list[Agent]:
    """Two versions, five tools, three models and four dependencies each, on the whole; one is not like the other."""
    draw = random.Random(seed)

    def some(of: Sequence[str], least: int, most: int) -> tuple[str, ...]:
        return tuple(draw.sample(list(of), draw.randint(least, most)))

    return [
        Agent(
            f"agent-{one:05}",
            tuple(f"{one % 7}.{version}.0" for version in range(draw.randint(1, 3))),
            some(_numbered("tool", TOOLS), 2, 8),
            some(_numbered("model", MODELS), 1, 5),
            some(_numbered("dependency", 16), 2, 6),
            some(ERROR_TYPES, 5, 8),
        )
        for one in range(number)
    ]


def registry(fleet: Sequence[Agent]) -> Registry:
    """The series of one environment's process."""
    found = Registry()
    for metric in METRICS:
        for values in _of_agents(metric.name, fleet) if "agent" in metric.labels else _of_platform(metric.name, metric.labels):
            found.declare(metric.name, *values)
    return found


def _of_agents(name: str, fleet: Sequence[Agent]) -> Iterator[tuple[str, ...]]:
    for agent in fleet:
        yield from _OF_AGENT[name](agent)


def _of_platform(name: str, labels: Sequence[str]) -> Iterator[tuple[str, ...]]:
    if "gen_ai_request_model" in labels:
        for number, model in enumerate(_numbered("model", MODELS)):
            rest = labels[3:]  # operation, provider and model come first
            for values in _product(name, rest):
                yield ("chat", f"provider-{number % 4}", model, *values)
        return
    yield from _product(name, labels)


def _product(name: str, labels: Sequence[str]) -> Iterator[tuple[str, ...]]:
    if not labels:
        yield ()
        return
    for value in _values(name, labels[0]):
        for rest in _product(name, labels[1:]):
            yield (value, *rest)


def _values(name: str, label: str) -> Sequence[str]:
    if label == "error_type":
        return ("", "timeout", "rate_limit") if name.startswith("gen_ai") else ("", "timeout")
    if label == "status":
        return _STATUS.get(name, ("success", "error", "timeout"))
    if label == "result":
        return ("hit", "miss") if name.startswith("cache") else ("success", "failure")
    return _LISTS.get(label) or _numbered(label, _FIXED[label])


def _numbered(what: str, number: int) -> tuple[str, ...]:
    return tuple(f"{what}-{one:02}" for one in range(number))


def _each(*lists: Sequence[str]) -> Iterator[tuple[str, ...]]:
    if not lists:
        yield ()
        return
    for value in lists[0]:
        for rest in _each(*lists[1:]):
            yield (value, *rest)


_ENDS = ("success", "error", "timeout")
_OF_AGENT: dict[str, Callable[[Agent], Iterable[tuple[str, ...]]]] = {
    "agent_queries_total": lambda a: _each([a.name], (*_ENDS, "cancelled"), a.versions),
    "agent_query_duration_seconds": lambda a: _each([a.name], a.versions, ("success", "failed")),
    "agent_queries_in_progress": lambda a: _each([a.name]),
    "agent_errors_total": lambda a: ((a.name, kind, "warning" if kind == "validation" else "error") for kind in a.failures),
    "agent_retries_total": lambda a: _each([a.name], ("timeout", "rate_limit", "tool")),
    "agent_phase_duration_seconds": lambda a: _each([a.name], _PHASES if a.tools else _PHASES[:4]),
    "agent_dependency_duration_seconds": lambda a: ((a.name, one, _KINDS[int(one[-2:]) % 5]) for one in a.dependencies),
    "agent_conversations_active": lambda a: _each([a.name]),
    "agent_conversations_ended_total": lambda a: _each([a.name], ("resolved", "handoff", "abandoned", "failed")),
    "agent_handoffs_total": lambda a: _each([a.name], ("asked", "unknown", "policy", "error")),
    "agent_feedback_total": lambda a: _each([a.name], ("positive", "negative")),
    "agent_tool_calls_total": lambda a: _each(a.tools, [a.name], _ENDS),
    "agent_capacity_requests_per_second": lambda a: _each([a.name]),
    "agent_build_info": lambda a: ((a.name, version, "p1", a.models[0]) for version in a.versions),
    "agent_deployment_timestamp_seconds": lambda a: _each([a.name], a.versions),
    "gen_ai_usage_cost_usd_total": lambda a: (("chat", f"provider-{int(m[-2:]) % 4}", m, a.name) for m in a.models),
}
"""Label sets of one agent, in the order of each metric's labels."""
