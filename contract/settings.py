"""The configuration of the house: what a site may change, with defaults that fit the demonstration.

`provisioning.config` reads `observatory.yaml` into `Settings`; every generator takes a `Settings` and nothing else.
Secrets are never part of it: only the paths of files that hold them.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

_DURATION = re.compile(r"^(?:[0-9]+(?:ms|s|m|h|d|w|y))+$")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


def duration_seconds(text: str) -> float:
    """Seconds of a Prometheus duration such as `5m` or `1h30m`. Raises ValueError for anything else."""
    if not _DURATION.match(text):
        raise ValueError(f"{text!r} is not a duration; write for example 30s, 5m or 2h")
    return sum(float(n) * _SECONDS[unit] for n, unit in re.findall(r"([0-9]+)(ms|s|m|h|d|w|y)", text))


def _duration(text: str) -> str:
    duration_seconds(text)
    return text


def _url(text: str) -> str:
    if not re.match(r"^https?://[^\s/]+", text):
        raise ValueError(f"{text!r} is not an address; write for example http://127.0.0.1:9090")
    return text.rstrip("/")


Duration = Annotated[str, AfterValidator(_duration)]
Url = Annotated[str, AfterValidator(_url)]
Address = Annotated[str, Field(pattern=r"^[^\s:/]+:[0-9]+$")]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class Prometheus(_Section):
    """Where Prometheus answers and how it is run."""

    url: Url = "http://127.0.0.1:9090"
    uid: str = "prometheus"
    scrape_interval: Duration = "15s"
    retention: Duration = "40d"


class Postgres(_Section):
    """The platform's database. The connection string comes from a file or from OBSERVATORY_POSTGRES_DSN."""

    uid: str = "postgres"
    dsn_file: str | None = None
    host: str = "127.0.0.1:5432"
    database: str = "postgres"
    user: str = "observatory_grafana"
    password_file: str | None = None
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = "disable"


class Langfuse(_Section):
    """Langfuse. LANGFUSE_BASE_URL, LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY override what stands here."""

    base_url: Url = "https://cloud.langfuse.com"
    public_key_file: str | None = None
    secret_key_file: str | None = None
    plan: Literal["hobby", "core", "pro", "self-hosted"] = "self-hosted"


class Alertmanager(_Section):
    url: Url = "http://127.0.0.1:9093"


class Grafana(_Section):
    """Where people open dashboards; links of alerts point there."""

    url: Url = "http://127.0.0.1:3000"


class Sources(_Section):
    prometheus: Prometheus = Prometheus()
    postgres: Postgres = Postgres()
    langfuse: Langfuse = Langfuse()
    alertmanager: Alertmanager = Alertmanager()
    grafana: Grafana = Grafana()


class PlatformTarget(_Section):
    """One scrape target of the platform. There is one for each environment."""

    environment: str
    address: Address
    path: Annotated[str, Field(pattern=r"^/")] = "/metrics"


class Scrape(_Section):
    """What Prometheus scrapes. `build` writes these as target files that Prometheus re-reads by itself."""

    platform: tuple[PlatformTarget, ...] = (
        PlatformTarget(environment="production", address="127.0.0.1:9470", path="/metrics/production"),
        PlatformTarget(environment="staging", address="127.0.0.1:9470", path="/metrics/staging"),
        PlatformTarget(environment="development", address="127.0.0.1:9470", path="/metrics/development"),
    )
    exporter: tuple[Address, ...] = ("127.0.0.1:9464",)


class Exporter(_Section):
    """The exporter process. Intervals follow how fast a figure changes and what asking for it costs."""

    listen: str = "127.0.0.1:9464"
    postgres_interval: Duration = "1m"
    langfuse_interval: Duration = "1m"
    query_timeout: Duration = "10s"
    max_age: Duration = "15m"


class Thresholds(_Section):
    """Where an alert begins. The same numbers are drawn in the panels."""

    success_ratio: Share = 0.90
    response_seconds: Annotated[float, Field(gt=0)] = 5.0
    error_ratio: Share = 0.05
    error_ratio_critical: Share = 0.20
    error_ratio_page: Share = 0.30
    response_seconds_page: Annotated[float, Field(gt=0)] = 12.5
    budget_warning: Share = 0.80
    minimum_queries: Annotated[int, Field(ge=1)] = 10
    minimum_queries_page: Annotated[int, Field(ge=1)] = 5
    minimum_failures_page: Annotated[int, Field(ge=1)] = 5
    minimum_conversations: Annotated[int, Field(ge=1)] = 20

    @field_validator("error_ratio_critical", "error_ratio_page", "response_seconds_page")
    @classmethod
    def _worse_is_further(cls, value: float, info: ValidationInfo) -> float:
        milder = {"error_ratio_critical": "error_ratio", "error_ratio_page": "error_ratio_critical"}.get(
            info.field_name or "", "response_seconds"
        )
        below = info.data.get(milder)
        if below is not None and value <= below:
            raise ValueError(f"{info.field_name} {value:g} must be above {milder}, which is {below:g}")
        return value


class Budget(_Section):
    """Money for model calls in a calendar month (UTC). `scope` is `all` or an environment."""

    scope: str = "all"
    monthly_usd: Annotated[float, Field(gt=0)] = 4000.0


class Team(_Section):
    """Who is told. Alerts name a team; the team has a Slack channel and an e-mail address."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    slack_channel: Annotated[str, Field(pattern=r"^#[a-z0-9_-]+$")]
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]


class Slack(_Section):
    """Slack's incoming webhook. Its address is a secret and comes from a file."""

    webhook_url_file: str = "secrets/slack_webhook_url"


class Smtp(_Section):
    """The mail server. User and password are optional; the password comes from a file."""

    smarthost: Annotated[str, Field(pattern=r"^[^\s:]+:[0-9]+$")] = "127.0.0.1:1025"
    sender: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] = "observatory@example.com"
    username: str | None = None
    password_file: str | None = None
    require_tls: bool = False


class Notifications(_Section):
    """How people are told. Pages go out for `paging_environments` only; `history_url` is a webhook that every alert goes to."""

    slack: Slack = Slack()
    smtp: Smtp = Smtp()
    paging_environments: tuple[str, ...] = ("production",)
    history_url: Url | None = None


class Settings(_Section):
    """Everything. Lists of names bound the label sets that start at zero; they are not filters."""

    sources: Sources = Sources()
    scrape: Scrape = Scrape()
    exporter: Exporter = Exporter()
    thresholds: Thresholds = Thresholds()
    environments: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")], ...] = (
        "production",
        "staging",
        "development",
    )
    budgets: tuple[Budget, ...] = (Budget(),)
    teams: tuple[Team, ...] = (
        Team(name="platform", slack_channel="#platform-alerts", email="platform@example.com"),
        Team(name="agents", slack_channel="#agent-alerts", email="agents@example.com"),
        Team(name="finance", slack_channel="#cost-alerts", email="finance@example.com"),
    )
    notifications: Notifications = Notifications()
    runbook_url: Url = "http://127.0.0.1:3000/runbooks"

    @field_validator("environments", "budgets", "teams")
    @classmethod
    def _names_are_unique(cls, items: tuple[object, ...]) -> tuple[object, ...]:
        names = [item.scope if isinstance(item, Budget) else item.name if isinstance(item, Team) else item for item in items]
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"named twice: {', '.join(twice)}")
        return items

    @field_validator("environments", "teams")
    @classmethod
    def _somebody_is_there(cls, items: tuple[object, ...]) -> tuple[object, ...]:
        if not items:
            raise ValueError("at least one is needed")
        return items

    @field_validator("budgets")
    @classmethod
    def _scopes_exist(cls, budgets: tuple[Budget, ...], info: ValidationInfo) -> tuple[Budget, ...]:
        environments = info.data.get("environments")
        for budget in budgets:
            if environments is not None and budget.scope not in ("all", *environments):
                raise ValueError(
                    f"budget scope {budget.scope!r} is neither 'all' nor one of the environments {', '.join(environments)}"
                )
        return budgets
