"""What is changed in a conversation after it was made: its times, what fails, and what comes of it. All else stays."""

from __future__ import annotations

from collections.abc import Callable

from demo.world.conversations import hand_over, judge
from demo.world.model import Conversation, Execution, Span, WorldSpec
from demo.world.rhythm import stream


def stretched(execution: Execution, at: float, factor: float) -> Execution:
    """The execution begun at `at`, all of its times stretched by `factor`."""
    return laid(execution, at, lambda offset: offset * factor)


def laid(execution: Execution, at: float, when: Callable[[float], float]) -> Execution:
    """The execution begun at `at`; what was at an offset (seconds from its start) is at `when` of it, which never falls."""

    def moved(begin: float) -> float:
        return at + when(begin - execution.at)

    def lasting(begin: float, duration: float) -> float:
        offset = begin - execution.at
        return when(offset + duration) - when(offset)

    return execution._replace(
        at=at,
        duration=when(execution.duration),
        calls=tuple(
            call._replace(
                at=moved(call.at),
                duration=lasting(call.at, call.duration),
                first_token=None if call.first_token is None else moved(call.first_token),
            )
            for call in execution.calls
        ),
        tools=tuple(tool._replace(at=moved(tool.at), duration=lasting(tool.at, tool.duration)) for tool in execution.tools),
        spans=tuple(
            Span(s.name, s.kind, when(s.offset), when(s.offset + s.duration) - when(s.offset), s.failed)
            for s in execution.spans
        ),
    )


def failed(execution: Execution, error: str) -> Execution:
    """The execution with a failing last model call and no answer."""
    ended = execution._replace(status="timeout" if error == "timeout" else "error", error_type=error, answer_tokens=0)
    if not execution.calls or execution.calls[-1].operation != "chat":  # it was given up before
        return ended
    last = execution.calls[-1]._replace(
        output_tokens=0, reasoning_tokens=0, first_token=None, failed=True, error_type=error,
        output_cost_usd=None if execution.calls[-1].output_cost_usd is None else 0.0,
    )  # fmt: skip
    final = max(n for n, span in enumerate(execution.spans) if span.name == "llm")
    spans = tuple(span._replace(failed=True) if n in (final, final + 1) else span for n, span in enumerate(execution.spans))
    return ended._replace(calls=(*execution.calls[:-1], last), spans=spans)


def judged_again(spec: WorldSpec, original: Conversation, kept: list[Execution], shift: float) -> Conversation:
    """The rest of the conversation moves; when more failed than before, it ends differently."""
    before = sum(execution.status in ("error", "timeout") for execution in original.executions)
    after = sum(execution.status in ("error", "timeout") for execution in kept)
    end, handoff, goal, outcome = original.end + shift, original.handoff, original.goal_achieved, original.outcome
    if after > before and (handoff is None or handoff.ticket_id is None):
        rng = stream(spec, "judged", original.conversation_id)
        goal, outcome = judge(rng, kept)
        if goal and rng.random() < 0.6:
            goal, outcome = False, "failed"
        handoff = hand_over(rng, original.conversation_id, end, None) if outcome == "handoff" else None
    elif handoff is not None:
        late = max(0.0, end - handoff.at)
        handoff = handoff._replace(
            at=handoff.at + late, accepted_at=handoff.accepted_at + late, resolved_at=handoff.resolved_at + late
        )
        end = max(end, handoff.at)
    feedback = tuple(
        given._replace(at=given.at + end - original.end) if goal == original.goal_achieved else given._replace(
            at=given.at + end - original.end, rating=1 if given.rating else None, thumbs=-1 if given.thumbs else None,
            nps=None if given.nps is None else given.nps // 3, comment="It failed again and again" if given.comment else None,
        )
        for given in original.feedback
    )  # fmt: skip
    return original._replace(
        end=end, goal_achieved=goal, outcome=outcome, executions=tuple(kept), feedback=feedback, handoff=handoff
    )
