"""Executions, tools, workflows, sessions: each panel from the platform's own rows of the last day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from statistics import fmean
from typing import Any

import pytest

from tests.integration.moment import DAY, Moment
from tests.integration.tabs import Fault

WORDS = {"success": "success", "failure": "error", "timeout": "timeout", "cancelled": "cancelled"}
SLICE = 1800.0
"""A forty-eighth of a day."""
RANGE = "environment = 'production' AND start_time BETWEEN :from AND :to"
RUNS = f"FROM app.agent_executions WHERE {RANGE} AND duration_ms IS NOT NULL"
FAILED = "status IN ('failure', 'timeout')"
CALLS = (
    "FROM app.tool_usage_metrics u JOIN app.agent_executions e USING (execution_id) "
    "WHERE e.environment = 'production' AND u.start_time BETWEEN :from AND :to AND u.duration_ms IS NOT NULL"
)
FLOWS = f"FROM app.workflow_metrics WHERE {RANGE} AND duration_ms IS NOT NULL"
SESSIONS = f"FROM app.session_metrics WHERE {RANGE}"


def middle(values: Iterable[float], share: float) -> float:
    """The percentile between the two nearest values, as the definition says."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def sliced(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[float, str], list[float]]:
    """Values by the slice in which they began and by name; rows are moment, name, value."""
    found: defaultdict[tuple[float, str], list[float]] = defaultdict(list)
    for at, name, value in rows:
        found[at.timestamp() // SLICE * SLICE, name].append(value)
    return found


def drawn(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[float, str], float]:
    """What a graph shows: rows are moment, name, value."""
    return {(at.timestamp(), name): value for at, name, value in rows}


def by_status(moment: Moment) -> None:
    rows = [(at, WORDS[status], 1.0) for at, status in moment.sql(f"SELECT start_time, status {RUNS}")]
    expected = {key: float(len(values)) for key, values in sliced(rows).items()}
    assert drawn(moment.panel_sql("executions/executions")) == expected and expected


def durations(moment: Moment) -> None:
    rows = moment.sql(f"SELECT start_time, '', duration_ms / 1000 {RUNS}")
    expected = {at: [middle(values, share) for share in (0.5, 0.95, 0.99)] for (at, _), values in sliced(rows).items()}
    shown = {row[0].timestamp(): pytest.approx(list(row[1:])) for row in moment.panel_sql("executions/durations")}
    assert expected and expected == shown


def shares(moment: Moment) -> None:
    counted = Counter(agent for (agent,) in moment.sql(f"SELECT agent_name {RUNS}"))
    best = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    expected = dict(best[:5]) | ({"others": sum(n for _, n in best[5:])} if best[5:] else {})
    assert dict(moment.panel_sql("executions/agent_shares")) == expected


def agents(moment: Moment) -> None:
    rows = moment.sql(
        f"SELECT agent_name, duration_ms / 1000, ({FAILED})::int, coalesce(tokens_used, 0), retry_count, tool_count {RUNS}"
    )
    by_agent: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for agent, *rest in rows:
        by_agent[agent].append(tuple(rest))
    shown = {row.pop("agent"): row for row in moment.panel_table("executions/agents")}
    assert set(shown) == set(by_agent)
    for agent, found in by_agent.items():
        seconds, failed, tokens, retries, tools = zip(*found, strict=True)
        assert shown[agent] == pytest.approx(
            {
                "executions": len(found), "success": 1 - fmean(failed), "p50": middle(seconds, 0.5),
                "p95": middle(seconds, 0.95), "p99": middle(seconds, 0.99), "tokens": fmean(tokens),
                "retries": fmean(retries), "tools": fmean(tools),
            }
        ), agent  # fmt: skip


def kinds(moment: Moment) -> None:
    expected = Counter(kind for (kind,) in moment.sql(f"SELECT coalesce(error_type, 'other') {RUNS} AND {FAILED}"))
    assert dict(moment.panel_sql("executions/errors_by_kind")) == expected


def errors(moment: Moment) -> None:
    rows = moment.sql(f"SELECT execution_id, agent_name, coalesce(error_type, 'other'), start_time {RUNS} AND {FAILED}")
    tools: defaultdict[Any, list[str]] = defaultdict(list)
    for execution, tool in moment.sql(f"SELECT execution_id, tool_name FROM app.tool_usage_metrics WHERE {FAILED}"):
        tools[execution].append(tool)
    expected: Counter[tuple[str, str, str]] = Counter()
    for execution, agent, kind, _ in rows:
        expected.update((agent, tool, kind) for tool in tools[execution] or [""])
    shown = {(agent, tool, kind): count for agent, tool, kind, count, *_ in moment.panel_sql("executions/errors")}
    assert shown == expected
    newest = max(at for *_, at in rows)
    assert max(last for *_, last, _ in moment.panel_sql("executions/errors")) == newest


def tool_calls(moment: Moment) -> None:
    expected = Counter(tool for (tool,) in moment.sql(f"SELECT u.tool_name {CALLS}"))
    best = sorted(expected.items(), key=lambda item: (-item[1], item[0]))[:15]
    assert moment.panel_sql("executions/tool_calls") == best and best


def tools(moment: Moment) -> None:
    rows = moment.sql(
        "SELECT u.tool_name, (u.status = 'success')::int, u.duration_ms / 1000, coalesce(u.api_response_time_ms, 0) / 1000, "
        f"e.agent_name {CALLS}"
    )
    by_tool: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for tool, *rest in rows:
        by_tool[tool].append(tuple(rest))
    shown = {row.pop("tool"): row for row in moment.panel_table("executions/tools")}
    assert set(shown) == set(by_tool)
    for tool, found in by_tool.items():
        well, seconds, outside, callers = zip(*found, strict=True)
        assert shown[tool] == pytest.approx(
            {
                "calls": len(found), "success": fmean(well), "p50": middle(seconds, 0.5), "p95": middle(seconds, 0.95),
                "external": sum(outside) / sum(seconds), "agents": len(set(callers)),
            }
        ), tool  # fmt: skip


def interfaces(moment: Moment) -> None:
    rows = moment.sql(
        f"SELECT u.external_api_called, u.api_status_code, u.api_response_time_ms / 1000 {CALLS} "
        "AND u.external_api_called IS NOT NULL"
    )
    by_api: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for api, *rest in rows:
        by_api[api].append(tuple(rest))
    shown = {row.pop("api"): row for row in moment.panel_table("executions/interfaces")}
    assert set(shown) == set(by_api)
    for api, found in by_api.items():
        codes, seconds = zip(*found, strict=True)
        failed = sum(code is not None and code >= 500 for code in codes)
        assert shown[api] == pytest.approx(
            {
                "calls": len(found), "well": sum(code in range(200, 300) for code in codes),
                "refused": sum(code in range(400, 500) for code in codes), "failed": failed,
                "answered": 1 - sum(code is None or code >= 500 for code in codes) / len(codes),
                "p50": middle(seconds, 0.5), "p95": middle(seconds, 0.95),
            }
        ), api  # fmt: skip


def interface_times(moment: Moment) -> None:
    rows = moment.sql(
        f"SELECT u.start_time, u.external_api_called, u.api_response_time_ms / 1000 {CALLS} "
        "AND u.external_api_called IS NOT NULL AND u.api_response_time_ms IS NOT NULL"
    )
    expected = {key: pytest.approx(middle(values, 0.95)) for key, values in sliced(rows).items()}
    assert drawn(moment.panel_sql("executions/interface_times")) == expected and expected


def workflows(moment: Moment) -> None:
    rows = moment.sql(
        "SELECT workflow_type, (status = 'success')::int, duration_ms / 1000, agent_count, total_tool_calls, "
        f"total_tokens_used, task_completion_rate, user_satisfaction_score {FLOWS}"
    )
    by_type: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for kind, *rest in rows:
        by_type[kind].append(tuple(rest))
    shown = {row.pop("type"): row for row in moment.panel_table("executions/workflows")}
    assert by_type and set(shown) == set(by_type)
    for kind, found in by_type.items():
        well, seconds, involved, calls, tokens, completed, scores = zip(*found, strict=True)
        known, said = [c for c in completed if c is not None], [s for s in scores if s is not None]
        score = shown[kind].pop("score")
        assert score == (pytest.approx(fmean(said)) if said else None), kind
        assert shown[kind] == pytest.approx(
            {
                "runs": len(found), "success": fmean(well), "p50": middle(seconds, 0.5), "p95": middle(seconds, 0.95),
                "agents": fmean(involved), "tools": fmean(calls), "tokens": fmean(tokens), "completed": fmean(known),
            }
        ), kind  # fmt: skip


def workflow_outcomes(moment: Moment) -> None:
    rows = [(at, WORDS[status], 1.0) for at, status in moment.sql(f"SELECT start_time, status {FLOWS}")]
    expected = {key: float(len(values)) for key, values in sliced(rows).items()}
    assert drawn(moment.panel_sql("executions/workflow_outcomes")) == expected and expected


def workflow_durations(moment: Moment) -> None:
    rows = moment.sql(f"SELECT start_time, workflow_type, duration_ms / 60000 {FLOWS}")
    expected = {key: pytest.approx(middle(values, 0.5)) for key, values in sliced(rows).items()}
    assert drawn(moment.panel_sql("executions/workflow_durations")) == expected and expected


def satisfaction(moment: Moment) -> None:
    rows = moment.sql(f"SELECT workflow_type, task_completion_rate, user_satisfaction_score {FLOWS}")
    shown = {kind: (completed, liked) for kind, completed, liked in moment.panel_sql("executions/workflow_satisfaction")}
    for kind in {kind for kind, *_ in rows}:
        said = [score for other, _, score in rows if other == kind and score is not None]
        known = [completed for other, completed, _ in rows if other == kind and completed is not None]
        assert shown[kind][0] == pytest.approx(fmean(known))
        assert shown[kind][1] == (pytest.approx(fmean(said) / 5) if said else None)


def handovers(moment: Moment) -> None:
    rows = [involved for (involved,) in moment.sql(f"SELECT agents_involved {FLOWS}")]
    parts = Counter(agent for involved in rows for agent in involved)
    steps = Counter(step for involved in rows for step in pairwise(involved))
    assert {title: count for _, title, count in moment.panel_sql("executions/handovers")} == parts and parts
    shown = {(source, target): count for _, source, target, count in moment.panel_sql("executions/handovers", 1)}
    assert shown == steps


def sessions_per_hour(moment: Moment) -> None:
    """Whole hours: the first of the range is shown from the first full one."""
    first = -(-(moment.at - DAY) // 3600) * 3600
    began = moment.sql(f"SELECT start_time {SESSIONS}")
    expected = Counter(at.timestamp() // 3600 * 3600 for (at,) in began if at.timestamp() >= first)
    shown = {hour.timestamp(): count for hour, count in moment.panel_sql("executions/sessions_per_hour") if count}
    assert shown == expected and expected


def session_lengths(moment: Moment) -> None:
    expected = moment.sql(f"SELECT duration_ms / 60000 {SESSIONS} AND duration_ms IS NOT NULL")
    shown = moment.panel_sql("executions/session_lengths")
    assert sorted(length for (length,) in shown) == pytest.approx(sorted(length for (length,) in expected)) and shown


def session_queries(moment: Moment) -> None:
    asked = Counter(min(10, queries) for (queries,) in moment.sql(f"SELECT total_queries {SESSIONS} AND NOT is_active"))
    expected = {"10+" if queries == 10 else str(queries): count for queries, count in asked.items()}
    assert dict(moment.panel_sql("executions/session_queries")) == expected


def latest_sessions(moment: Moment) -> None:
    expected = moment.sql(
        "SELECT session_id::text, total_queries, failed_queries, total_tokens_used "
        f"{SESSIONS} ORDER BY start_time DESC, session_id LIMIT 100"
    )
    rows = moment.panel_table("executions/latest_sessions")
    assert [(row["session"], row["queries"], row["failed"], row["tokens"]) for row in rows] == expected


def latest_executions(moment: Moment) -> None:
    expected = [
        (execution, agent, WORDS[status], tools, retries)
        for execution, agent, status, tools, retries in moment.sql(
            f"SELECT execution_id::text, agent_name, status, tool_count, retry_count {RUNS} "
            "ORDER BY start_time DESC, execution_id LIMIT 200"
        )
    ]
    rows = [row for page in ("'0'", "'100'") for row in moment.panel_table("executions/latest_executions", page=page)]
    assert [(row["execution"], row["agent"], row["status"], row["tools"], row["retries"]) for row in rows] == expected


def _with_tools(moment: Moment) -> str:
    """The newest execution that called tools, whatever the filters."""
    [(execution,)] = moment.sql(
        "SELECT execution_id::text FROM app.agent_executions WHERE tool_count > 0 AND start_time BETWEEN :from AND :to "
        "ORDER BY start_time DESC LIMIT 1"
    )
    return str(execution)


def execution(moment: Moment) -> None:
    wanted = _with_tools(moment)
    for choice in ("''", f"'{wanted}'"):
        [row] = moment.panel_table("executions/execution", execution=choice)
        assert row["execution"] == wanted


def tools_of_execution(moment: Moment) -> None:
    wanted = _with_tools(moment)
    calls = moment.sql(
        "SELECT u.tool_name, extract(epoch FROM u.start_time - e.start_time)::float8, u.duration_ms / 1000 "
        f"FROM app.tool_usage_metrics u JOIN app.agent_executions e USING (execution_id) WHERE e.execution_id = '{wanted}' "
        "AND u.duration_ms IS NOT NULL ORDER BY u.start_time, u.usage_id"
    )
    shown = moment.panel_sql("executions/tools_of_execution", execution=f"'{wanted}'")
    assert [row[0].split(" ")[1] for row in shown] == [tool for tool, *_ in calls]
    assert [row[1:] for row in shown] == [pytest.approx(times) for _, *times in calls]


def _newest_session(moment: Moment) -> str:
    [(session,)] = moment.sql(
        "SELECT session_id::text FROM app.session_metrics WHERE start_time BETWEEN :from AND :to "
        "ORDER BY start_time DESC LIMIT 1"
    )
    return str(session)


def session(moment: Moment) -> None:
    wanted = _newest_session(moment)
    [(queries, succeeded, failed)] = moment.sql(
        f"SELECT total_queries, successful_queries, failed_queries FROM app.session_metrics WHERE session_id = '{wanted}'"
    )
    [row] = moment.panel_table("executions/session", session=f"'{wanted}'")
    assert (row["queries"], row["succeeded"], row["failed"]) == (queries, succeeded, failed)


def session_executions(moment: Moment) -> None:
    wanted = _newest_session(moment)
    expected = moment.sql(
        f"SELECT execution_id::text FROM app.agent_executions WHERE session_id = '{wanted}' ORDER BY start_time LIMIT 100"
    )
    rows = moment.panel_table("executions/session_executions", session=f"'{wanted}'")
    assert [(row["execution"],) for row in rows] == expected


FIGURES = {
    "executions/executions": by_status,
    "executions/durations": durations,
    "executions/agent_shares": shares,
    "executions/agents": agents,
    "executions/errors_by_kind": kinds,
    "executions/errors": errors,
    "executions/tool_calls": tool_calls,
    "executions/tools": tools,
    "executions/interfaces": interfaces,
    "executions/interface_times": interface_times,
    "executions/workflows": workflows,
    "executions/workflow_outcomes": workflow_outcomes,
    "executions/workflow_durations": workflow_durations,
    "executions/workflow_satisfaction": satisfaction,
    "executions/handovers": handovers,
    "executions/sessions_per_hour": sessions_per_hour,
    "executions/session_lengths": session_lengths,
    "executions/session_queries": session_queries,
    "executions/latest_sessions": latest_sessions,
    "executions/latest_executions": latest_executions,
    "executions/execution": execution,
    "executions/tools_of_execution": tools_of_execution,
    "executions/session": session,
    "executions/session_executions": session_executions,
}
FAULTS = (
    Fault("executions/agents", "percentile_cont(0.95)", "percentile_cont(0.9)"),
    Fault("executions/errors", "count(*)::float8 AS failed", "2 * count(*)::float8 AS failed"),
    Fault("executions/tools", "coalesce(u.api_response_time_ms, 0)", "coalesce(u.api_response_time_ms, 1000)"),
    Fault("executions/handovers", "lead(a.name)", "lag(a.name)"),
    Fault("executions/sessions_per_hour", "h.started", "h.ended"),
)
