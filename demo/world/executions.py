"""One query to an agent: its phases, model calls and tool calls, whose times add up to the whole."""

from __future__ import annotations

from bisect import bisect_left
from math import exp
from random import Random

from demo.world.catalogue import AGENTS, EMBEDDING_MODEL, ERROR_SHARES, MODEL, TOOL, Agent
from demo.world.model import Execution, LlmCall, Span, ToolCall
from demo.world.releases import Release
from demo.world.rhythm import NORMAL, cumulative, uuid_text

_ERRORS, _ERROR_SUMS = cumulative(ERROR_SHARES)
_CANCELLED, _RETRIED = 0.004, 0.03
_EMBEDDING_PRICE = MODEL[EMBEDDING_MODEL].input_usd or 0.0
TIME_LIMIT_SECONDS = 25.0
PROMPTS = {agent.name: (f"{agent.name}-plan", f"{agent.name}-answer") for agent in AGENTS}


def execution(
    rng: Random,
    agent: Agent,
    release: Release,
    conversation_id: int,
    session_id: str,
    user_id: int,
    intent: str,
    at: float,
    turn: int,
) -> Execution:
    """The `turn`-th query (from 0) of a conversation, begun at `at`."""
    random = rng.random
    deployment = release.deployment
    status = error = ""
    lot = random()
    if lot < agent.failure * release.care:
        error = _ERRORS[bisect_left(_ERROR_SUMS, random())]
        status = "timeout" if error == "timeout" else "error"
    else:
        status = "cancelled" if lot > 1.0 - _CANCELLED else "success"
    duration = agent.median_seconds * release.pace * exp(agent.spread * NORMAL[int(random() * 4096)])
    if error == "timeout":
        duration = TIME_LIMIT_SECONDS

    retrieves = random() < agent.retrieval
    number = 0
    if error == "tool" or random() < agent.tool_use:
        lot = random()
        number = 1 if lot < 0.68 else 2 if lot < 0.92 else 3
    # Phases in order; what the small ones and the tools leave is the model's.
    auth, before, after = duration * 0.012, duration * (0.02 + 0.02 * random()), duration * 0.02
    retrieval = duration * (0.08 + 0.08 * random()) if retrieves else 0.0
    tooling = duration * (0.14 + 0.10 * random()) * (0.75 + 0.25 * number) if number else 0.0
    thinking = duration - auth - before - after - retrieval - tooling
    spans = [
        Span("auth", "phase", 0.0, auth, error == "auth"),
        Span("redis", "dependency", auth * 0.2, auth * 0.6, False),
        Span("preprocess", "phase", auth, before, error == "validation"),
    ]
    offset = auth + before
    calls: list[LlmCall] = []
    if retrieves:
        spans.append(Span("retrieval", "phase", offset, retrieval, False))
        spans.append(Span("pgvector", "dependency", offset + retrieval * 0.55, retrieval * 0.4, False))
        calls.append(_embedding(rng, at + offset, retrieval * 0.5))
        offset += retrieval
    failing = error in ("llm", "rate_limit", "timeout")
    tools: list[ToolCall] = []
    if number:
        plan = thinking * (0.30 + 0.15 * random())
        calls.append(
            _chat(rng, agent, deployment.model, at + offset, plan, PROMPTS[agent.name][0], deployment.prompt_version, turn, "")
        )
        spans += (Span("llm", "phase", offset, plan, False), Span(calls[-1].provider, "dependency", offset, plan * 0.97, False))
        thinking -= plan
        offset += plan
        spans.append(Span("tool", "phase", offset, tooling, error == "tool"))
        for nth in range(number):
            part = tooling / number
            tools.append(_tool_call(rng, agent, at + offset, part * 0.96, error == "tool" and nth == number - 1))
            spans.append(Span(tools[-1].tool, "tool", offset, part * 0.96, tools[-1].status != "success"))
            if tools[-1].api:
                spans.append(Span(tools[-1].api, "dependency", offset, part * 0.9, tools[-1].status != "success"))
            offset += part
    answer = _chat(
        rng,
        agent,
        deployment.model,
        at + offset,
        thinking,
        PROMPTS[agent.name][1],
        deployment.prompt_version,
        turn,
        error if failing else "",
    )
    calls.append(answer)
    spans += (
        Span("llm", "phase", offset, thinking, failing),
        Span(answer.provider, "dependency", offset, thinking * 0.97, failing),
    )
    spans.append(Span("postprocess", "phase", duration - after, after, error == "internal"))
    spans.append(Span("postgres", "dependency", duration - after * 0.8, after * 0.7, False))
    message = conversation_id * 100 + turn * 2
    return Execution(
        uuid_text(rng.getrandbits(128)), f"{rng.getrandbits(128):032x}", conversation_id, session_id, user_id, agent.name,
        deployment.version, deployment.environment, intent, at, duration, status, error, int(random() < _RETRIED),
        tuple(calls), tuple(tools), tuple(spans), message, message + 1, 8 + int(52 * random()),
        answer.output_tokens if status == "success" else 0,
    )  # fmt: skip


def _embedding(rng: Random, at: float, duration: float) -> LlmCall:
    tokens = 10 + int(50 * rng.random())
    return LlmCall(
        f"{rng.getrandbits(64):016x}", at, duration, None, EMBEDDING_MODEL, "openai", "embeddings", tokens, 0, 0, 0,
        tokens * _EMBEDDING_PRICE / 1e6, 0.0, False, "", "", 0,
    )  # fmt: skip


def _chat(
    rng: Random, agent: Agent, name: str, at: float, duration: float, prompt: str, version: int, turn: int, error: str
) -> LlmCall:
    """A streamed call. Its output fits its time and the model's speed; a conversation's later turns find their start cached."""
    random = rng.random
    model = MODEL[name]
    first = duration * (0.15 + 0.2 * random())
    whole = int(agent.context_tokens * (0.6 + 0.8 * random()) + 350 * turn)
    cached = int(whole * model.cache_share * (0.7 + 0.6 * random())) if turn or random() < 0.3 else 0
    written = 0 if error else max(1, int((duration - first) * model.speed * (0.85 + 0.3 * random())))
    reasoning = int(written * model.reasoning_share)
    cost_in = cost_out = None
    if model.input_usd is not None and model.output_usd is not None and model.cache_read_usd is not None:
        cost_in = ((whole - cached) * model.input_usd + cached * model.cache_read_usd) / 1e6
        cost_out = written * model.output_usd / 1e6
    return LlmCall(
        f"{rng.getrandbits(64):016x}", at, duration, None if error else at + first, name, model.provider, "chat",
        whole - cached, written - reasoning, cached, reasoning, cost_in, cost_out, bool(error), error, prompt, version,
    )  # fmt: skip


def _tool_call(rng: Random, agent: Agent, at: float, duration: float, fails: bool) -> ToolCall:
    lot = rng.random()
    tool = TOOL[agent.tools[int(lot * len(agent.tools))]]
    lot = rng.random()
    # A tool that fails by itself is tried again by the agent and does no harm.
    status = "error" if fails or lot < tool.failure else "timeout" if lot > 0.998 else "success"
    answer = 0 if not tool.api else 200 if status == "success" else 504 if status == "timeout" else 500
    return ToolCall(uuid_text(rng.getrandbits(128)), at, duration, tool.name, status, tool.api, answer)
