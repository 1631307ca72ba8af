"""A platform's size, and what follows for the values of each label.

Labels that a site's size decides are counted; others take what platforms usually have, or their whole list where it is closed.
Nothing takes more than its cap where our exporter exposes it; what a platform exposes itself has no cap.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod

from contract.labels import LABELS

DETERMINED = {
    "severity": "error_type",
    "gen_ai_provider_name": "gen_ai_request_model",
    "gen_ai_operation_name": "gen_ai_request_model",
    "method": "handler",
    "kind": "dependency",
    "prompt_version": "version",
    "model": "version",
}
"""Labels that add no series beside another one: a kind of failure has one severity, a model one provider."""

USUAL = {
    "api": 8, "cache": 3, "collector": 12, "datname": 1, "feature": 20, "file_type": 6, "function": 6, "guardrail": 4,
    "handler": 40, "mcp_method_name": 1, "name": 6, "operation": 4, "pool": 2, "query": 40, "queue": 3, "reason": 5, "role": 4,
    "scope": 4, "source": 15, "statement": 20, "status": 3, "store": 2, "table": 30, "workflow_type": 5, "alertmanager": 1,
    "integration": 3, "rule_group": 90, "instance": 1, "job": 1,
}  # fmt: skip
"""Values of labels that hardly depend on a platform's size."""

FEW = {
    ("agent_queries_total", "status"): 4,
    ("agent_query_duration_seconds", "status"): 2,
    ("platform_executions_total", "status"): 4,
    ("gen_ai_client_operation_duration_seconds", "error_type"): 4,
    ("mcp_client_operation_duration_seconds", "error_type"): 2,
    ("mcp_server_operation_duration_seconds", "error_type"): 2,
    ("platform_execution_duration_seconds", "outcome"): 2,
    ("agent_conversations_ended_total", "outcome"): 4,
    ("auth_login_attempts_total", "result"): 2,
    ("cache_operations_total", "result"): 2,
    ("kb_searches_total", "status"): 3,
    ("platform_kb_searches_total", "result"): 2,
    ("platform_logins_total", "result"): 2,
    ("platform_ticket_sla_total", "result"): 3,
    ("platform_ticket_sla_total", "kind"): 2,
    ("platform_ticket_sla_attainment_ratio", "kind"): 2,
    ("platform_tickets_sla_at_risk", "kind"): 2,
    ("platform_tickets_overdue", "kind"): 2,
    ("db_pool_connections", "state"): 2,
    ("gen_ai_client_inference_usage_input_tokens_total", "gen_ai_token_modality"): 1,
    ("gen_ai_client_inference_usage_output_tokens_total", "gen_ai_token_modality"): 1,
    ("gen_ai_client_inference_usage_cache_read_input_tokens_total", "gen_ai_token_modality"): 1,
    ("gen_ai_client_inference_usage_cache_write_input_tokens_total", "gen_ai_token_modality"): 1,
    ("gen_ai_client_inference_usage_reasoning_output_tokens_total", "gen_ai_token_modality"): 1,
    ("exporter_api_requests_total", "code"): 3,
    ("exporter_api_requests_total", "api"): 1,
    ("exporter_api_budget_remaining", "api"): 1,
    ("exporter_api_budget_limit", "api"): 1,
    ("exporter_api_next_poll_timestamp_seconds", "api"): 1,
    ("exporter_truncated_results_total", "source"): 1,
    ("exporter_label_overflow_total", "source"): 1,
    ("exporter_query_success", "source"): 1,
    ("exporter_query_duration_seconds", "source"): 1,
    ("exporter_query_last_success_timestamp_seconds", "source"): 1,
    ("exporter_query_failures_total", "source"): 1,
    ("exporter_query_rows", "source"): 1,
    ("platform_version_sample", "version"): 1,
    ("platform_rollup_mode", "mode"): 1,
    ("langfuse_scores_total", "source"): 1,
    ("langfuse_score_sum", "source"): 1,
}
"""Where one metric takes fewer values of a label than the label has."""


@dataclass(frozen=True)
class Fleet:
    """A platform. `versions` of an agent have series at a time; `processes` expose the platform's metrics in each environment.

    `tools_of_agent` and the like are what a single agent has of what there is in all. Persons are never labels: `users` cost
    rows in PostgreSQL, and no series.
    """

    agents: int = 10
    models: int = 8
    tools: int = 20
    users: int = 1_000
    environments: int = 3
    versions: int = 2
    processes: int = 1
    exporters: int = 2
    tools_of_agent: int = 5
    models_of_agent: int = 3
    dependencies_of_agent: int = 4

    def values(self, label: str, beside: Collection[str], metric: str = "") -> int:
        """How many values a label takes on series that carry it `beside` other labels."""
        if (metric, label) in FEW:
            return FEW[metric, label]
        if DETERMINED.get(label) in beside:
            return 1
        if "agent" in beside and (number := self._of_agent().get(label)) is not None:
            return number
        if (number := self._of_all().get(label)) is not None:
            return number
        if label in USUAL:
            return USUAL[label]
        return LABELS[label].size if label in LABELS else 1

    def sets(self, labels: Collection[str], metric: str = "") -> int:
        """How many sets of values these labels take together."""
        return prod(self.values(label, labels, metric) for label in labels)

    def _of_agent(self) -> dict[str, int]:
        return {
            "version": self.versions,
            "tool": self.tools_of_agent,
            "gen_ai_request_model": self.models_of_agent,
            "dependency": self.dependencies_of_agent,
        }

    def _of_all(self) -> dict[str, int]:
        return {
            "agent": self.agents,
            "environment": self.environments,
            "version": self.agents * self.versions,
            "model": self.models,
            "gen_ai_request_model": self.models,
            "gen_ai_provider_name": self.models,
            "tool": self.tools,
            "gen_ai_tool_name": self.tools,
            "dependency": 4 * self.dependencies_of_agent,
        }
