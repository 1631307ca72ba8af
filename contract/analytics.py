"""What dashboards may read of schema `analytics`: the platform's relations without what is nobody's business, tables of our
own, and the roll-ups by hour, day and week.

In a redacted relation a keyed hash stands for each user (`user_key`), texts are empty unless the content switch is on, and what
is never shown is not there at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from contract.relations import RELATIONS, Column, Relation, Shown
from contract.rollup_views import RETENTION_COLUMNS, ROLLUP_VIEWS, USER_WEEK_COLUMNS

ADVANCED = "observatory_advanced"
"""The channel on which the advancing process says, once a commit, that it has counted something."""

ANALYTICS_SCHEMA = "analytics"


class Audience(StrEnum):
    """Who may read a view. Administrators read everything that anybody reads."""

    EVERYBODY = "everybody"
    ADMINISTRATORS = "administrators"


@dataclass(frozen=True)
class Readable:
    """A view or table of schema `analytics` and its columns in order. `relation` is what it shows of the contract."""

    name: str
    columns: tuple[str, ...]
    audience: Audience = Audience.EVERYBODY
    relation: str = ""

    @property
    def qualified(self) -> str:
        return f"{ANALYTICS_SCHEMA}.{self.name}"


def shown_name(column: Column) -> str:
    """What a column is called where people see it: hashes of users are keys, not ids."""
    if column.shown is not Shown.USER:
        return column.name
    return "user_key" if column.name in ("id", "user_id") else column.name.removesuffix("_id") + "_key"


def shown_columns(relation: Relation) -> tuple[Column, ...]:
    """The columns of a relation that its redacted view has."""
    return tuple(column for column in relation.columns if column.shown is not Shown.NEVER)


_REDACTED = tuple(
    Readable(relation.name, tuple(shown_name(column) for column in shown_columns(relation)), relation=relation.name)
    for relation in RELATIONS.values()
)


def _own(name: str, columns: str, audience: Audience = Audience.EVERYBODY) -> Readable:
    return Readable(name, tuple(columns.split()), audience)


_TABLES = (
    _own("slo_config", "id scope_type scope sli target_seconds objective window_days created_at"),
    _own("budgets", "id scope_type scope kind amount period starts_on ends_on"),
    _own("alert_rules", "id template scope params channel enabled"),
    _own("incidents", "id kind ref opened_at closed_at severity evidence"),
    _own("regressions", "id agent version environment metric before after p_value detected_at source state"),
    _own("profiling_sessions", "id scope params scheduled_at started_at ended_at state result"),
    _own("load_tests", "id scope params scheduled_at started_at ended_at state result"),
    _own("configuration_desired", "id agent environment setting version value reason asked_at"),
    _own("configuration_observed", "agent environment setting version value state said at"),
    _own("forecasts", "series at value low high method made_at"),
    _own("forecast_trials", "series method used days points ahead relative share covered change made_at"),
    _own("active_users_daily", "day users"),
    _own(
        "advice",
        "id place kind agent environment subject what why setting before after effect low high unit p_value not_considered "
        "found_at made_at",
    ),
    _own("outlook_runs", "made_at compared advised seconds"),
    _own("anomalies", "series at value low high score"),
    _own("users_active_history", "window_name at n"),
    _own("capacity_limits", "scope rps valid_from"),
    _own(
        "alert_events",
        "fingerprint starts_at status received_at ends_at alertname severity environment agent labels annotations",
    ),
    _own("audit_log", "id at actor action target before after dry_run rollback", Audience.ADMINISTRATORS),
)

_LEDGER = (
    _own(
        "llm_calls",
        "observation_id trace_id conversation_id session_id user_key agent version environment model provider type level "
        "status error_type started_at ended_at latency_ms ttft_ms input_tokens output_tokens cache_read_tokens "
        "cache_write_tokens reasoning_tokens total_tokens input_cost_usd output_cost_usd total_cost_usd cost_source "
        "prompt_name prompt_version release ingested_at user_role department",
    ),
    _own(
        "llm_scores",
        "score_id name source environment data_type value string_value trace_id observation_id session_id model at agent "
        "prompt_name prompt_version",
    ),
    _own("model_prices", "model_pattern usage_type usd_per_million valid_from valid_to"),
)

LEDGER = frozenset(readable.name for readable in _LEDGER)
"""What was read from Langfuse."""

_ROLLUPS = (
    *(Readable(view.name, view.columns) for view in ROLLUP_VIEWS.values()),
    Readable("retention_weekly", RETENTION_COLUMNS),
    Readable("user_weekly", USER_WEEK_COLUMNS),
)

PERSONAL_RELATIONS = ("conversations", "tickets", "agent_executions", "feedback")
"""Relations of which a person with a login for own figures sees the own rows; and the own calls of the ledger."""


def personal_name(name: str) -> str:
    """The view of the own rows of whoever is logged in."""
    return f"my_{name}"


READABLE: dict[str, Readable] = {readable.name: readable for readable in (*_REDACTED, *_TABLES, *_LEDGER, *_ROLLUPS)}

PERSONAL: dict[str, Readable] = {
    **{
        personal_name(name): Readable(
            personal_name(name), tuple(column.name for column in RELATIONS[name].columns if column.shown is Shown.PLAIN)
        )
        for name in PERSONAL_RELATIONS
    },
    personal_name("llm_calls"): Readable(
        personal_name("llm_calls"), tuple(column for column in READABLE["llm_calls"].columns if column != "user_key")
    ),
}
"""What a person with a login for own figures may read, and nobody else: the own rows, without anybody's key."""


@cache
def readable_names() -> frozenset[str]:
    """`schema.name` of everything that queries may read: the platform's relations, and what is readable here."""
    ours = (*READABLE.values(), *PERSONAL.values())
    return frozenset({relation.qualified for relation in RELATIONS.values()} | {readable.qualified for readable in ours})
