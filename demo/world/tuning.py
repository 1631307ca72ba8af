"""What people have the agents configured with, and what that changes: the model, the time limit, batches, the caches.

A wish that was taken over holds for executions that begin from its `start` on. It is part of the world's spec, so the world
stays a pure function of that: nothing that began before is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from demo.world.bending import failed, judged_again, laid, stretched
from demo.world.catalogue import AGENT, MODEL, MODELS, Model
from demo.world.executions import TIME_LIMIT_SECONDS
from demo.world.model import Conversation, Execution, LlmCall, Value, WorldSpec

BATCH, KEPT_SECONDS, MISSED = 8, 600, 0.15
"""What is usual: passages looked up at once, seconds that answers are kept, and the part of lookups that finds nothing then."""
ANSWERS = "cache.response"
"""The cache of answers that tools and documents gave; its value here is the seconds that they are kept."""
USUAL: Mapping[str, Value] = {
    "model": "usual", "timeout_seconds": int(TIME_LIMIT_SECONDS), "batch_size": BATCH, "prompt_cache": "on",
    ANSWERS: KEPT_SECONDS,
}  # fmt: skip
PLANTED = "research", "production", "prompt_cache", "off"
"""Agent, environment, setting and value of what is wrong with the platform of `observatory up`: advice finds it."""
CHAT_MODELS = tuple(model.name for model in MODELS if model.operation == "chat")

_SPEEDS = 0.4, 2.5
"""How much quicker or slower an agent's thinking gets at most by another model."""
_UNCACHED_PACE = 1.2
"""A model reads a prompt anew when none of it is cached, which takes so much longer."""
_BATCHED, _LOOKED_UP = 0.5, 0.5
"""Parts of a retrieval's time that come with each batch; of a retrieval's or a tool's, with each answer that was not found."""


def in_force(spec: WorldSpec, agent: str, environment: str, at: float) -> dict[str, Value]:
    """By setting, the value where it is not the usual one."""
    found: dict[str, Value] = {}
    for tuned in spec.settings:
        if (tuned.agent, tuned.environment) == (agent, environment) and tuned.start <= at:
            found[tuned.setting] = tuned.value
    return {setting: value for setting, value in found.items() if value != USUAL[setting]}


def own(spec: WorldSpec, agent: str, environment: str, setting: str) -> Value:
    """What the platform has a setting at when nobody wants anything."""
    return in_force(spec, agent, environment, spec.beginning).get(setting, USUAL[setting])


def tune(spec: WorldSpec, original: Conversation) -> Conversation:
    """The conversation as its agent is configured; what follows an answer that comes sooner or later moves with it."""
    whose = original.agent, original.environment
    if not any((one.agent, one.environment) == whose and one.start < original.end for one in spec.settings):
        return original
    kept: list[Execution] = []
    shift = 0.0
    for execution in original.executions:
        moved = tuned(spec, execution if shift == 0.0 else stretched(execution, execution.at + shift, 1.0))
        shift += moved.duration - execution.duration
        kept.append(moved)
    return original if tuple(kept) == original.executions else judged_again(spec, original, kept, shift)


def tuned(spec: WorldSpec, execution: Execution) -> Execution:
    """The execution as its agent is configured when it begins."""
    settings = in_force(spec, execution.agent, execution.environment, execution.at)
    return _tuned(execution, settings) if settings else execution


def missed(spec: WorldSpec, environment: str, at: float) -> float | None:
    """The part of an environment's lookups of answers that finds nothing; None: as usual."""
    kept = {agent: in_force(spec, agent, environment, at).get(ANSWERS) for agent in AGENT}
    if all(seconds is None for seconds in kept.values()):
        return None
    weights = sum(AGENT[agent].weight for agent in kept)
    return sum(AGENT[agent].weight * not_found(seconds) for agent, seconds in kept.items()) / weights


def not_found(seconds: Value | None) -> float:
    """The part of the lookups that finds nothing when answers are kept so long; None: as long as usual.

    The same question comes again after times that are exponential.
    """
    again = KEPT_SECONDS * MISSED / (1 - MISSED)
    return again / (again + (KEPT_SECONDS if seconds is None else float(seconds)))


def _tuned(execution: Execution, settings: Mapping[str, Value]) -> Execution:
    pace = dict.fromkeys(("retrieval", "tool", "llm"), 1.0)
    if size := settings.get("batch_size"):
        pace["retrieval"] *= 1 - _BATCHED + _BATCHED * BATCH / float(size)
    if (seconds := settings.get(ANSWERS)) is not None:
        looked_up = 1 - _LOOKED_UP + _LOOKED_UP * not_found(seconds) / MISSED
        pace["retrieval"] *= looked_up
        pace["tool"] *= looked_up
    if name := settings.get("model"):
        execution, quicker = _by_model(execution, MODEL[str(name)])
        pace["llm"] *= quicker
    if settings.get("prompt_cache") == "off" and any(call.cache_read_tokens for call in execution.calls):
        execution = execution._replace(calls=tuple(_uncached(call) for call in execution.calls))
        pace["llm"] *= _UNCACHED_PACE
    return _limited(_paced(execution, pace), float(settings.get("timeout_seconds") or TIME_LIMIT_SECONDS))


def _paced(execution: Execution, pace: Mapping[str, float]) -> Execution:
    """Its phases take so many times as long, one after the other as before."""
    if set(pace.values()) == {1.0}:
        return execution
    phases = sorted((s.offset, s.offset + s.duration, pace.get(s.name, 1.0)) for s in execution.spans if s.kind == "phase")
    longer = [0.0, *accumulate((end - begin) * (factor - 1.0) for begin, end, factor in phases)]

    def when(offset: float) -> float:
        for (begin, end, factor), before in zip(phases, longer, strict=False):
            if offset < end:
                return offset + before + max(0.0, offset - begin) * (factor - 1.0)
        return offset + longer[-1]

    return laid(execution, execution.at, when)


def _by_model(execution: Execution, model: Model) -> tuple[Execution, float]:
    """The execution with its answers from another model, and how much longer the thinking takes."""
    used = [MODEL[call.model] for call in execution.calls if call.operation == "chat"]
    if not used:
        return execution, 1.0
    least, most = _SPEEDS
    providers = {one.provider for one in used}
    spans = (s._replace(name=model.provider) if s.name in providers else s for s in execution.spans)
    calls = tuple(_asked(call, model) if call.operation == "chat" else call for call in execution.calls)
    return execution._replace(calls=calls, spans=tuple(spans)), min(most, max(least, used[-1].speed / model.speed))


def _asked(call: LlmCall, model: Model) -> LlmCall:
    """The same question to another model: as many tokens, cached, thought about and paid for as there."""
    before = MODEL[call.model]
    read, written = call.input_tokens + call.cache_read_tokens, call.output_tokens + call.reasoning_tokens
    cached = min(read, int(call.cache_read_tokens * model.cache_share / before.cache_share)) if before.cache_share else 0
    reasoning = int(written * model.reasoning_share)
    return _priced(
        call._replace(
            model=model.name, provider=model.provider, input_tokens=read - cached, cache_read_tokens=cached,
            output_tokens=written - reasoning, reasoning_tokens=reasoning,
        )
    )  # fmt: skip


def _uncached(call: LlmCall) -> LlmCall:
    return _priced(call._replace(input_tokens=call.input_tokens + call.cache_read_tokens, cache_read_tokens=0))


def _priced(call: LlmCall) -> LlmCall:
    model = MODEL[call.model]
    if model.input_usd is None or model.output_usd is None or model.cache_read_usd is None:
        return call._replace(input_cost_usd=None, output_cost_usd=None)
    read = call.input_tokens * model.input_usd + call.cache_read_tokens * model.cache_read_usd
    written = (call.output_tokens + call.reasoning_tokens) * model.output_usd
    return call._replace(input_cost_usd=read / 1e6, output_cost_usd=written / 1e6)


def _limited(execution: Execution, limit: float) -> Execution:
    """Given up after `limit` seconds when it takes longer; a request that hangs always does."""
    if execution.status == "timeout" and execution.duration < limit:
        return stretched(execution, execution.at, limit / execution.duration)
    if execution.duration <= limit:
        return execution
    over = execution.at + limit
    cut = laid(execution, execution.at, lambda offset: min(offset, limit))
    tools = (
        call if asked.at + asked.duration <= over else call._replace(status="timeout", api_status=504 if call.api else 0)
        for asked, call in zip(execution.tools, cut.tools, strict=True)
        if asked.at < over
    )
    spans = (
        span._replace(failed=span.failed or whole.offset + whole.duration > limit)
        for whole, span in zip(execution.spans, cut.spans, strict=True)
        if whole.offset < limit
    )
    thinking = any(call.operation == "chat" and call.at < over < call.end for call in execution.calls)
    cut = cut._replace(
        status="timeout", error_type="timeout", answer_tokens=0,
        calls=tuple(call for call in cut.calls if call.at < over), tools=tuple(tools), spans=tuple(spans),
    )  # fmt: skip
    return failed(cut, "timeout") if thinking else cut
