"""The configuration of the data plane: what the exporter does, and how the platform's tables are read, counted and kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from contract.labels import SERIES_LIMIT
from contract.relations import RELATIONS
from contract.values import Count, Day, Host, Interval, Section, between

Capture = Literal["auto", "snapshot", "ids", "window", "scan"]
"""How new and changed rows of a table are found; `auto` takes the best that is possible."""


class Tls(Section):
    """The exporter's certificate and key; with `client_ca_file` a scraper has to show a certificate of that authority."""

    certificate_file: str
    key_file: str
    client_ca_file: str | None = None


class BasicAuth(Section):
    """Who may read the exporter's pages. The password stands in a file."""

    username: Annotated[str, Field(pattern=r"^[^:\s]+$")]
    password_file: str


class Intervals(Section):
    """How often each collector runs. They follow how fast a figure changes and what asking for it costs."""

    rollups: Annotated[str, between("500ms", "1d")] = "15s"
    business: Interval = "1m"
    tables: Interval = "5m"
    audit: Interval = "1m"
    versions: Interval = "1m"
    langfuse: Interval = "1m"
    cost: Interval = "5m"
    outlook: Interval = "6h"


class Exporter(Section):
    """The exporter process."""

    listen: Host = "127.0.0.1:9464"
    tls: Tls | None = None
    basic_auth: BasicAuth | None = None
    bearer_token_file: str | None = None
    intervals: Intervals = Intervals()
    query_timeout: Annotated[str, between("1ms", "10m")] = "10s"
    max_age: Annotated[str, between("1s", "30d")] = "15m"
    series_limit: Count = SERIES_LIMIT
    """The most series of one metric; the rest goes into the overflow."""


class Mapped(Section):
    """What a relation of the contract is at this platform.

    Exactly one of `table`, `query` and `absent` is set, or none, which means the table of the contract's own name. `columns`
    gives an SQL expression (a column's name, a constant, …) for each column that is called otherwise; `null` says that the
    platform has none. `driving_table` is the table whose rows a query's rows are.
    """

    table: str | None = None
    query: str | None = None
    absent: bool = False
    columns: dict[str, str | None] = Field(default_factory=dict)
    capture: Capture = "auto"
    driving_table: str | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Mapped:
        given = [name for name in ("table", "query") if getattr(self, name) is not None] + ["absent"] * self.absent
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given; a relation is only one of table, query and absent")
        if self.absent and self.columns:
            raise ValueError("an absent relation has no columns")
        return self


Archivable = Literal[
    "rollup_minute", "rollup_hour", "rollup_day", "llm_calls", "llm_scores", "alert_events", "audit_log", "forecasts",
    "anomalies", "incidents", "profiling_sessions", "load_tests",
]  # fmt: skip
"""Tables of schema `analytics` whose old rows may go into an archive."""

Removable = Literal[
    "messages", "ticket_events", "kb_searches", "feedback", "agent_executions", "tool_usage_metrics", "workflow_metrics",
    "session_metrics", "traces", "trace_spans", "feature_usage_events", "login_events",
]  # fmt: skip
"""Relations of the platform whose rows say that something happened, and nothing of what is there now."""


class Retention(Section):
    """How long the schema `analytics` keeps what it counted. Prometheus has a retention of its own.

    The exporter leaves old rows of `archived` to `observatory retention apply --archive`. Of the relations in `platform`
    that command archives and removes what is older; nobody removes anything of others.
    """

    minute: Annotated[str, between("25h", "90d")] = "26h"
    hour: Annotated[str, between("32d", "10y")] = "400d"
    day: Annotated[str, between("90d", "100y")] = "3y"
    model_calls: Annotated[str, between("32d", "10y")] = "90d"
    alert_events: Annotated[str, between("32d", "100y")] = "400d"
    audit_log: Annotated[str, between("30d", "100y")] = "2y"
    findings: Annotated[str, between("32d", "100y")] = "2y"
    """Forecasts, anomalies, and incidents, profiles and load tests that are over."""
    archived: tuple[Archivable, ...] = ()
    platform: dict[Removable, Annotated[str, between("32d", "100y")]] = Field(default_factory=dict)


class Database(Section):
    """How the platform's tables are read, and what schema `analytics` may show.

    `alter_tables` allows a column, an index and triggers on the platform's tables; `content` lets dashboard roles read texts
    that people wrote, cut to `content_length` characters; `logins` makes roles able to log in, with the password of a file.
    """

    preset: Literal["contract", "supabase"] = "contract"
    relations: dict[str, Mapped] = Field(default_factory=dict)
    alter_tables: bool = True
    user_key_file: str | None = None
    content: bool = False
    content_length: Annotated[int, Field(ge=1, le=10_000)] = 200
    retention: Retention = Retention()
    logins: dict[str, str] = Field(default_factory=dict)

    @field_validator("relations")
    @classmethod
    def _relations_exist(cls, relations: dict[str, Mapped]) -> dict[str, Mapped]:
        for name, mapped in relations.items():
            if name not in RELATIONS:
                raise ValueError(f"{name!r} is no relation of the contract; want one of {', '.join(RELATIONS)}")
            known = {column.name for column in RELATIONS[name].columns}
            if unknown := sorted(mapped.columns.keys() - known):
                raise ValueError(f"{name} has no column {unknown[0]!r}; want one of {', '.join(sorted(known))}")
            if mapped.absent and not RELATIONS[name].optional:
                raise ValueError(f"{name} cannot be absent: the house does not stand without it")
        return relations


class Price(Section):
    """A price for models that Langfuse has none for. `model` is a shell pattern; prices are USD for a million tokens.

    `since` is the first day of calls that cost so; of those before it the next price that fits is taken.
    """

    model: str
    since: Day | None = None
    input: Annotated[float, Field(ge=0, le=1e6)]
    output: Annotated[float, Field(ge=0, le=1e6)]
    cache_read: Annotated[float, Field(ge=0, le=1e6)] | None = None
    cache_write: Annotated[float, Field(ge=0, le=1e6)] | None = None


class Reconciliation(Section):
    """How the ledger is held against Langfuse's own sums: over which window, and how far behind now it ends."""

    window: Annotated[str, between("10m", "7d")] = "1h"
    settle: Annotated[str, between("30s", "1h")] = "15m"
