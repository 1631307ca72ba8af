"""The 25 questions, as somebody would write them over the platform's own tables. Each has one answer among our metrics.

`:now` stands for the moment of asking. Windows begin at a full minute (24h) or hour (longer), as those of our gauges do. For a
histogram `le` is the number of the first bound that is not below a value, from 0; percentiles are answered by such a number
too, for that is what a histogram can know.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of the contract or of this module

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contract.buckets import AGENT


@dataclass(frozen=True)
class Question:
    """`labels` and `values` are the columns of the answer, `metric` is ours with the same labels and `fixed` ones besides."""

    name: str
    metric: str
    labels: tuple[str, ...]
    sql: str
    values: tuple[str, ...] = ("value",)
    fixed: tuple[tuple[str, str], ...] = ()

    def at(self, now: datetime) -> str:
        """The SQL with the moment written into it."""
        return self.sql.replace(":now", f"timestamptz '{now.isoformat()}'")


def _since(column: str, length: str, unit: str) -> str:
    start, end = f"date_trunc('{unit}', :now) - interval '{length}'", f"date_trunc('{unit}', :now) + interval '1 {unit}'"
    return f"{column} >= {start} AND {column} < {end}"


_BOUNDS_BELOW_ZERO = ", ".join(str(-bound) for bound in reversed(AGENT))
_ENDED = "status <> 'in_progress'"
_FAILED = "status IN ('error', 'timeout')"
_OUTCOME = f"CASE WHEN status = 'success' THEN 'success' WHEN {_FAILED} THEN 'failed' END"


def _question(name: str, metric: str, labels: str, sql: str, values: str = "value", window: str = "") -> Question:
    fixed = (("window", window),) if window else ()
    return Question(name, metric, tuple(labels.split()), " ".join(sql.split()), tuple(values.split()), fixed)


def _active(window: str, length: str, unit: str) -> Question:
    recent = _since("created_at", length, unit)
    sql = f"SELECT count(DISTINCT user_id) AS value FROM app.messages WHERE role = 'user' AND {recent}"
    return _question(f"users_active_{window}", "platform_users_active", "", sql, window=window)


def _bucket(milliseconds: str) -> str:
    """The number of the bucket of a duration; a value on a bound belongs to the bucket below it."""
    return f"{len(AGENT)} - width_bucket({milliseconds} / -1000, ARRAY[{_BOUNDS_BELOW_ZERO}])"


def _percentiles(window: str, length: str) -> Question:
    shares = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}
    exact = ", ".join(f"percentile_disc({share}) WITHIN GROUP (ORDER BY duration_ms) AS {p}" for p, share in shares.items())
    sql = f"""
        SELECT agent, {", ".join(f"{_bucket(p)} AS {p}" for p in shares)}
        FROM (SELECT agent_name AS agent, {exact} FROM app.agent_executions
              WHERE {_OUTCOME} IS NOT NULL AND {_since("end_time", length, "minute")} GROUP BY 1) percentiles
        """
    return _question(f"latency_{window}", "", "agent", sql, values=" ".join(shares), window=window)


QUESTIONS = (
    _question(
        "executions_started", "platform_executions_started_total", "agent version environment",
        "SELECT agent_name AS agent, version, environment, count(*) AS value FROM app.agent_executions GROUP BY 1, 2, 3",
    ),
    _question(
        "executions", "platform_executions_total", "agent version environment status",
        f"""SELECT agent_name AS agent, version, environment, status, count(*) AS value FROM app.agent_executions
            WHERE {_ENDED} GROUP BY 1, 2, 3, 4""",
    ),
    _question(
        "execution_errors", "platform_execution_errors_total", "agent environment error_type",
        f"""SELECT agent_name AS agent, environment, error_type, count(*) AS value FROM app.agent_executions
            WHERE {_FAILED} GROUP BY 1, 2, 3""",
    ),
    _question(
        "execution_tokens", "platform_execution_tokens_total", "agent environment",
        f"""SELECT agent_name AS agent, environment, sum(tokens_used) AS value FROM app.agent_executions
            WHERE {_ENDED} GROUP BY 1, 2""",
    ),
    _question(
        "execution_retries", "platform_execution_retries_total", "agent environment",
        f"""SELECT agent_name AS agent, environment, sum(retry_count) AS value FROM app.agent_executions
            WHERE {_ENDED} GROUP BY 1, 2""",
    ),
    _question(
        "execution_durations", "platform_execution_duration_seconds", "agent version environment outcome le",
        f"""SELECT agent_name AS agent, version, environment, {_OUTCOME} AS outcome,
                   {_bucket("duration_ms")} AS le,
                   count(*) AS value, sum(duration_ms) / 1000 AS total
            FROM app.agent_executions WHERE {_OUTCOME} IS NOT NULL GROUP BY 1, 2, 3, 4, 5""",
        values="value total",
    ),
    _question(
        "executions_in_progress", "platform_executions_in_progress", "agent environment",
        """SELECT agent_name AS agent, environment, count(*) AS value FROM app.agent_executions
           WHERE status = 'in_progress' GROUP BY 1, 2""",
    ),
    _percentiles("1h", "1 hour"),
    _percentiles("24h", "24 hours"),
    _question(
        "conversations_started", "platform_conversations_started_total", "agent environment",
        """SELECT agents.name AS agent, conversations.environment, count(*) AS value
           FROM app.conversations JOIN app.agents ON agents.id = agent_id GROUP BY 1, 2""",
    ),
    _question(
        "conversations_ended", "platform_conversations_ended_total", "agent environment goal",
        """SELECT agents.name AS agent, conversations.environment,
                  CASE WHEN goal_achieved THEN 'achieved' WHEN NOT goal_achieved THEN 'missed' ELSE 'unknown' END AS goal,
                  count(*) AS value
           FROM app.conversations JOIN app.agents ON agents.id = agent_id WHERE ended_at IS NOT NULL GROUP BY 1, 2, 3""",
    ),
    _question(
        "conversations", "platform_conversations", "environment",
        "SELECT environment, count(*) AS value FROM app.conversations GROUP BY 1",
    ),
    _question(
        "conversations_24h", "platform_window_conversations", "environment",
        f"""SELECT environment, count(*) AS value FROM app.conversations
            WHERE {_since("created_at", "24 hours", "minute")} GROUP BY 1""",
        window="24h",
    ),
    _question(
        "goal_success_24h", "platform_goal_success_ratio", "agent environment",
        f"""SELECT agents.name AS agent, conversations.environment, avg(goal_achieved::int) AS value
            FROM app.conversations JOIN app.agents ON agents.id = agent_id
            WHERE goal_achieved IS NOT NULL AND {_since("ended_at", "24 hours", "minute")} GROUP BY 1, 2""",
        window="24h",
    ),
    _question(
        "messages", "platform_messages_total", "environment role",
        """SELECT environment, role, count(*) AS value
           FROM app.messages JOIN app.conversations ON conversations.id = conversation_id GROUP BY 1, 2""",
    ),
    _question(
        "message_tokens", "platform_message_tokens_total", "environment role",
        """SELECT environment, role, sum(tokens) AS value
           FROM app.messages JOIN app.conversations ON conversations.id = conversation_id GROUP BY 1, 2""",
    ),
    _question("users", "platform_users", "role", "SELECT role, count(*) AS value FROM app.users GROUP BY 1"),
    _question(
        "users_new_24h", "platform_users_new", "",
        f"SELECT count(*) AS value FROM app.users WHERE {_since('created_at', '24 hours', 'minute')}", window="24h",
    ),
    _active("24h", "24 hours", "minute"),
    _active("7d", "7 days", "hour"),
    _active("30d", "30 days", "hour"),
    _question(
        "tickets", "platform_tickets", "status priority",
        "SELECT status, priority, count(*) AS value FROM app.tickets GROUP BY 1, 2",
    ),
    _question(
        "ticket_oldest_open", "platform_ticket_oldest_open_age_seconds", "priority",
        """SELECT priority, extract(epoch FROM :now - min(created_at)) AS value FROM app.tickets
           WHERE status IN ('open', 'in_progress', 'waiting') GROUP BY 1""",
    ),
    _question(
        "feedback_ratings", "platform_feedback_ratings_total", "environment rating",
        """SELECT environment, rating::text AS rating, count(*) AS value
           FROM app.feedback JOIN app.conversations ON conversations.id = conversation_id GROUP BY 1, 2""",
    ),
    _question(
        "feedback_average_30d", "platform_feedback_rating_average", "environment",
        f"""SELECT environment, avg(rating) AS value
            FROM app.feedback JOIN app.conversations ON conversations.id = conversation_id
            WHERE {_since("feedback.created_at", "30 days", "hour")} GROUP BY 1""",
        window="30d",
    ),
)  # fmt: skip
