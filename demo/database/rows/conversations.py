"""Rows of conversations: messages, executions, tool calls, sessions, traces, handoffs, feedback."""

from __future__ import annotations

from demo.database.rows.text import NULL, Lines, answer, by, moment, names, question, visitor
from demo.world.catalogue import AGENT, ERROR_TEXTS, SEVERITIES
from demo.world.model import Conversation, Execution, Feedback, Handoff, ToolCall

TRACES_KEPT_SECONDS = 14 * 86400.0
TRACE_SLOW_SECONDS = 5.0
_TRACE_SAMPLE = 0x1A
"""Traces are kept for 14 days: all that failed or were slow, and those whose id begins with a byte below this: one in ten."""

_STATUS = {"success": "success", "error": "failure", "timeout": "timeout", "cancelled": "cancelled"}


def traces_from(at: float) -> float:
    """Start of the oldest traces that are kept at a moment; it moves on once an hour."""
    return at // 3600 * 3600 - TRACES_KEPT_SECONDS


def write_conversation(lines: Lines, c: Conversation, at: float, kept_from: float) -> None:
    """The rows of a conversation that has begun by `at`, with the traces that started at `kept_from` or later."""
    agent = AGENT[c.agent].agent_id
    if over := c.end <= at:
        goal = NULL if c.goal_achieved is None else "t" if c.goal_achieved else "f"
        state = f"{moment(c.end)}\tended\t{c.intent}\t{goal}\t{c.outcome}"
    else:
        state = f"{NULL}\tactive\t{c.intent}\t{NULL}\t{NULL}"
    lines["conversations"].append(
        f"{c.conversation_id}\t{c.user_id}\t{agent}\t{moment(c.at)}\t{state}\t{c.channel}\t{c.environment}\t"
        '{"locale": "en"}\n'
    )
    begun = [execution for execution in c.executions if execution.at <= at]
    for execution in begun:
        _write_execution(lines, c, execution, agent, at)
        if execution.at >= kept_from and execution.end <= at and _traced(execution):
            _write_trace(lines, execution, agent)
    lines["session_metrics"].append(_session(c, begun, at, over))
    if c.handoff and c.handoff.at <= at:
        lines["handoffs"].append(_handoff(c.conversation_id, c.handoff, at))
    lines["feedback"] += [_feedback(c, given) for given in c.feedback if given.at <= at]


def _write_execution(lines: Lines, c: Conversation, e: Execution, agent: int, at: float) -> None:
    start = moment(e.at)
    lines["messages"].append(
        f"{e.question_id}\t{c.conversation_id}\t{c.user_id}\tuser\t{start}\t{e.question_tokens}\t{e.trace_id}\n"
    )
    if e.end > at:
        result = f"{NULL}\t{NULL}\tin_progress\t{question(e.intent)}\t{NULL}\t{NULL}\t{NULL}\t{NULL}\t0\t0"
        tokens = f"{NULL}\t0"
    else:
        end = moment(e.end)
        response, text, error = NULL, NULL, NULL
        if e.answer_tokens:
            response = answer(e.intent, e.answer_tokens)
            lines["messages"].append(
                f"{e.answer_id}\t{c.conversation_id}\t{NULL}\tassistant\t{end}\t{e.answer_tokens}\t{e.trace_id}\n"
            )
        if e.error_type:
            text, error = ERROR_TEXTS[e.error_type], e.error_type
        called = names(tool.tool for tool in e.tools)
        result = (
            f"{end}\t{e.duration * 1000:.3f}\t{_STATUS[e.status]}\t{question(e.intent)}\t{response}\t{text}\t{error}\t"
            f"{called}\t{len(e.tools)}\t{e.retries}"
        )
        tokens = f"{tokens_of(e)}\t{len(e.calls) + sum(1 for tool in e.tools if tool.api)}"
        lines["tool_usage_metrics"] += [_tool_call(e, tool) for tool in e.tools]
    lines["agent_executions"].append(
        f"{e.execution_id}\t{agent}\t{e.agent}\t{e.version}\t{start}\t{result}\t{e.session_id}\t{e.user_id}\t{e.conversation_id}\t"
        f"{e.execution_id[:8]}\t{e.trace_id}\t{tokens}\t{e.environment}\t{e.intent}\n"
    )


def tokens_of(e: Execution) -> int:
    """All tokens of an execution's model calls."""
    return sum(call.input_tokens + call.output_tokens + call.cache_read_tokens + call.reasoning_tokens for call in e.calls)


def _tool_call(e: Execution, t: ToolCall) -> str:
    milliseconds = f"{t.duration * 1000:.3f}"
    status = _STATUS[t.status]
    text = NULL if status == "success" else "The tool gave no result"
    api = f"{t.api}\t{t.duration * 900:.3f}\t{t.api_status}" if t.api else f"{NULL}\t{NULL}\t{NULL}"
    return (
        f"{t.usage_id}\t{t.tool}\t{e.execution_id}\t{moment(t.at)}\t{moment(t.at + t.duration)}\t{milliseconds}\t{status}\t"
        f"{NULL}\t{NULL}\t{text}\t{api}\n"
    )


def _session(c: Conversation, begun: list[Execution], at: float, over: bool) -> str:
    ended = [execution for execution in begun if execution.end <= at]
    good = sum(1 for execution in ended if execution.status == "success")
    bad = sum(1 for execution in ended if execution.status in ("error", "timeout"))
    mean = f"{sum(execution.duration for execution in ended) * 1000 / len(ended):.3f}" if ended else NULL
    closing = f"{moment(c.end)}\t{(c.end - c.at) * 1000:.3f}" if over else f"{NULL}\t{NULL}"
    browser, address = visitor(c.session_id)
    return (
        f"{c.session_id}\t{moment(c.at)}\t{closing}\t{c.user_id}\t{browser}\t{address}\t{len(begun)}\t{good}\t{bad}\t"
        f"{names((c.agent,))}\t1\t{mean}\t{sum(map(tokens_of, ended))}\t{'f' if over else 't'}\t{c.environment}\n"
    )


def _handoff(conversation_id: int, h: Handoff, at: float) -> str:
    ticket = NULL if h.ticket_id is None else h.ticket_id
    return (
        f"{h.handoff_id}\t{conversation_id}\t{moment(h.at)}\t{h.reason}\t{ticket}\t{by(h.accepted_at, at)}\t"
        f"{by(h.resolved_at, at)}\n"
    )


def _feedback(c: Conversation, f: Feedback) -> str:
    rating, thumbs, nps = (NULL if value is None else value for value in (f.rating, f.thumbs, f.nps))
    return (
        f"{f.feedback_id}\t{c.user_id}\t{c.conversation_id}\t{f.message_id}\t{f.trace_id}\t{rating}\t{thumbs}\t{nps}\t{f.category}\t"
        f"{f.comment or NULL}\t{moment(f.at)}\n"
    )


def _traced(e: Execution) -> bool:
    return e.status != "success" or e.duration > TRACE_SLOW_SECONDS or int(e.trace_id[:2], 16) < _TRACE_SAMPLE


def _write_trace(lines: Lines, e: Execution, agent: int) -> None:
    error, severity = (e.error_type, SEVERITIES[e.error_type]) if e.error_type else (NULL, NULL)
    lines["traces"].append(
        f"{e.trace_id}\t{agent}\t{e.version}\t{e.environment}\t{e.intent}\t{moment(e.at)}\t{e.duration * 1000:.3f}\t"
        f"{e.status}\t{error}\t{severity}\t{e.user_id}\t{e.conversation_id}\n"
    )
    root = e.trace_id[:14]
    lines["trace_spans"].append(
        f"{e.trace_id}\t{root}00\t{NULL}\t{e.agent}\tphase\t{NULL}\t{NULL}\t{moment(e.at)}\t{e.duration * 1000:.3f}\t"
        f"{'success' if e.status == 'success' else 'error'}\n"
    )
    phase, parent = NULL, f"{root}00"
    for number, span in enumerate(e.spans, 1):
        identity = f"{root}{number:02x}"
        if span.kind == "phase":
            phase, above, parent = span.name, f"{root}00", identity
        else:
            above = parent
        dependency = span.name if span.kind == "dependency" else NULL
        lines["trace_spans"].append(
            f"{e.trace_id}\t{identity}\t{above}\t{span.name}\t{span.kind}\t{phase}\t{dependency}\t"
            f"{moment(e.at + span.offset)}\t{span.duration * 1000:.3f}\t{'error' if span.failed else 'success'}\n"
        )
