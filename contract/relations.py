"""Tables of the platform that the house reads (schema `app`). Columns as `name:type`; a trailing `?` may be null.

After the type: `*` names a user (people see a keyed hash instead), `!` holds what people wrote or brought (people see it only
with the content switch, cut short), `-` is never shown. Names of a user's own tables may differ; the mapping of the
configuration says how. Times are timestamptz in UTC. `embedding` is never selected, and message or document texts are not part
of the contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

APP_SCHEMA = "app"


class Shown(StrEnum):
    """What a dashboard may see of a column."""

    PLAIN = ""
    USER = "*"
    CONTENT = "!"
    NEVER = "-"


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    nullable: bool
    shown: Shown = Shown.PLAIN


@dataclass(frozen=True)
class Relation:
    """A table of the contract. `time` is the column that windows are cut on; `key` the primary key's columns."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str
    optional: bool = False

    @property
    def qualified(self) -> str:
        return f"{APP_SCHEMA}.{self.name}"


def _relation(name: str, key: str, time: str, columns: str, optional: bool = False) -> Relation:
    parsed = []
    for item in columns.split():
        column, _, type_ = item.partition(":")
        shown = Shown(type_[-1]) if type_[-1] in "*!-" else Shown.PLAIN
        type_ = type_.rstrip("*!-")
        parsed.append(Column(column, type_.rstrip("?"), type_.endswith("?"), shown))
    return Relation(name, tuple(parsed), tuple(key.split()), time, optional)


_ALL = (
    _relation("users", "id", "created_at",
              "id:bigint* created_at:timestamptz role:text status:text department:text? last_seen_at:timestamptz? country_code:text?"),
    _relation("departments", "id", "", "id:bigint name:text team:text", optional=True),
    _relation("agents", "id", "",
              "id:bigint name:text type:text department_id:bigint? owner_team:text? environment:text current_version:text? is_active:boolean"),
    _relation("conversations", "id", "created_at",
              "id:bigint user_id:bigint* agent_id:bigint created_at:timestamptz ended_at:timestamptz? status:text intent:text? "
              "goal_achieved:boolean? outcome:text? channel:text? environment:text metadata:jsonb?!"),
    _relation("messages", "id", "created_at",
              "id:bigint conversation_id:bigint user_id:bigint?* role:text created_at:timestamptz tokens:integer? trace_id:text?"),
    _relation("tickets", "id", "created_at",
              "id:bigint user_id:bigint* conversation_id:bigint? assignee_id:bigint?* status:text priority:text category:text? "
              "created_at:timestamptz updated_at:timestamptz first_response_at:timestamptz? resolved_at:timestamptz? closed_at:timestamptz? "
              "reopened_count:integer sla_first_response_due_at:timestamptz? sla_resolution_due_at:timestamptz?"),
    _relation("ticket_events", "ticket_id at", "at", "ticket_id:bigint at:timestamptz from_status:text? to_status:text", optional=True),
    _relation("documents", "id", "created_at",
              "id:bigint user_id:bigint?* file_name:text! file_type:text status:text size_bytes:bigint created_at:timestamptz "
              "updated_at:timestamptz error:text?!"),
    _relation("chunks", "id", "created_at", "id:bigint document_id:bigint created_at:timestamptz token_count:integer", optional=True),
    _relation("kb_searches", "id", "at",
              "id:bigint user_id:bigint?* at:timestamptz duration_ms:double result_count:integer top_score:double? clicked:boolean?", optional=True),
    _relation("feedback", "id", "created_at",
              "id:bigint user_id:bigint?* conversation_id:bigint? message_id:bigint? trace_id:text? rating:smallint? thumbs:smallint? "
              "nps:smallint? category:text? comment:text?! created_at:timestamptz", optional=True),
    _relation("agent_executions", "execution_id", "start_time",
              "execution_id:uuid agent_id:bigint agent_name:text version:text? start_time:timestamptz end_time:timestamptz? duration_ms:double? "
              "status:text query:text?! response:text?! error_message:text?! error_type:text? tools_called:jsonb? tool_count:integer "
              "retry_count:integer session_id:uuid? user_id:bigint?* conversation_id:bigint? correlation_id:text? trace_id:text? "
              "tokens_used:integer? api_calls_count:integer environment:text intent:text?"),
    _relation("tool_usage_metrics", "usage_id", "start_time",
              "usage_id:uuid tool_name:text execution_id:uuid? start_time:timestamptz end_time:timestamptz? duration_ms:double? status:text "
              "input_data:jsonb?! output_data:jsonb?! error_message:text?! external_api_called:text? api_response_time_ms:double? "
              "api_status_code:integer?", optional=True),
    _relation("workflow_metrics", "workflow_id", "start_time",
              "workflow_id:uuid workflow_type:text start_time:timestamptz end_time:timestamptz? duration_ms:double? status:text "
              "agents_involved:jsonb? agent_count:integer total_tool_calls:integer total_api_calls:integer total_tokens_used:integer "
              "session_id:uuid? user_id:bigint?* user_satisfaction_score:double? task_completion_rate:double? environment:text?", optional=True),
    _relation("session_metrics", "session_id", "start_time",
              "session_id:uuid start_time:timestamptz end_time:timestamptz? duration_ms:double? user_id:bigint* user_agent:text?! "
              "ip_address:inet?- total_queries:integer successful_queries:integer failed_queries:integer agents_used:jsonb? "
              "unique_agents_count:integer average_response_time_ms:double? total_tokens_used:integer is_active:boolean environment:text?", optional=True),
    _relation("traces", "trace_id", "started_at",
              "trace_id:text agent_id:bigint version:text? environment:text intent:text? started_at:timestamptz latency_ms:double? "
              "status:text error_type:text? severity:text? user_id:bigint?* conversation_id:bigint?", optional=True),
    _relation("trace_spans", "trace_id span_id", "started_at",
              "trace_id:text span_id:text parent_span_id:text? name:text kind:text phase:text? dependency:text? started_at:timestamptz "
              "duration_ms:double status:text", optional=True),
    _relation("deployments", "id", "deployed_at",
              "id:bigint agent_id:bigint version:text environment:text deployed_at:timestamptz retired_at:timestamptz? commit_ref:text? "
              "config:jsonb?!", optional=True),
    _relation("handoffs", "id", "at",
              "id:bigint conversation_id:bigint at:timestamptz reason:text ticket_id:bigint? accepted_at:timestamptz? "
              "resolved_at:timestamptz?", optional=True),
    _relation("offline_queue", "id", "enqueued_at",
              "id:bigint queue:text enqueued_at:timestamptz available_at:timestamptz attempts:integer status:text "
              "dead_lettered_at:timestamptz?", optional=True),
    _relation("feature_usage_events", "id", "at",
              "id:bigint user_id:bigint* feature:text at:timestamptz session_id:uuid?", optional=True),
    _relation("login_events", "id", "at", "id:bigint user_id:bigint* at:timestamptz result:text", optional=True),
)  # fmt: skip
RELATIONS: dict[str, Relation] = {relation.name: relation for relation in _ALL}

SQL_TYPES = {"double": "double precision"}
"""Spellings of the short type names above in SQL, where they differ."""
