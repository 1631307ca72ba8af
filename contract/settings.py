"""The configuration of the house: what a site may change, with defaults that fit the demonstration.

`provisioning.config` reads `observatory.yaml` into `Settings`; every generator takes a `Settings` and nothing else.
Secrets are never part of it: only the paths of files that hold them.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

_DURATION = re.compile(r"^(?:[0-9]+(?:ms|s|m|h|d|w|y))+$")
_LOGIN = "an address with a user or password; addresses are shown to people, keep secrets in files"
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


def duration_seconds(text: str) -> float:
    """Seconds of a Prometheus duration such as `5m` or `1h30m`. Raises ValueError for anything else."""
    if not _DURATION.match(text):
        raise ValueError(f"{text!r} is not a duration; write for example 30s, 5m or 2h")
    return sum(float(n) * _SECONDS[unit] for n, unit in re.findall(r"([0-9]+)(ms|s|m|h|d|w|y)", text))


def _between(least: str, most: str) -> AfterValidator:
    """Holds a duration between two others."""

    def held(text: str) -> str:
        if not duration_seconds(least) <= duration_seconds(text) <= duration_seconds(most):
            raise ValueError(f"{text[:40]!r} does not lie between {least} and {most}")
        return text

    return AfterValidator(held)


def checked_url(text: str) -> str:
    """An http address without the slash at its end. Raises ValueError, which never repeats a password, for anything else."""
    try:
        parts = urlsplit(text)
        port, login = parts.port, "@" in parts.netloc
    except ValueError:
        port, login = 0, "@" in text  # a password may hold the slash that seems to end the host
    if login:
        raise ValueError(_LOGIN)
    if not re.fullmatch(r"https?://[^\s/?#:][^\s]*|https?://\[[^\s]+", text):
        raise ValueError(f"{text!r} is not an address; write for example http://127.0.0.1:9090")
    if port == 0:
        raise ValueError(f"{text!r} has no port between 1 and 65535; write for example http://127.0.0.1:9090")
    return text.rstrip("/")


def _host(text: str) -> str:
    """The port of `host:port`, where there is one, is a port; and there is no login."""
    if "@" in text:
        raise ValueError(_LOGIN)
    port = text.rpartition(":")[2] if ":" in text else "1"
    if port.isdecimal() and not (len(port) < 6 and 1 <= int(port) <= 65535):
        raise ValueError(f"{text[:80]!r} has no port between 1 and 65535")
    return text


Interval = Annotated[str, _between("1s", "1d")]
Url = Annotated[str, AfterValidator(checked_url)]
Host = Annotated[str, AfterValidator(_host)]
Address = Annotated[str, Field(pattern=r"^[^\s:/]+:[0-9]+$"), AfterValidator(_host)]
Uid = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
Share = Annotated[float, Field(gt=0, lt=1)]
Amount = Annotated[float, Field(gt=0, le=1e9)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class Prometheus(_Section):
    """Where Prometheus answers and how it is run."""

    url: Url = "http://127.0.0.1:9090"
    uid: Uid = "prometheus"
    scrape_interval: Interval = "15s"
    retention: Annotated[str, _between("1h", "100y")] = "40d"


class Postgres(_Section):
    """The platform's database. The connection string comes from a file or from OBSERVATORY_POSTGRES_DSN."""

    uid: Uid = "postgres"
    dsn_file: str | None = None
    host: Host = "127.0.0.1:5432"
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

    @field_validator("prometheus", "postgres")
    @classmethod
    def _each_has_its_own_uid(cls, source: Prometheus | Postgres, info: ValidationInfo) -> Prometheus | Postgres:
        others = {"alertmanager": "Alertmanager"}
        if isinstance(source, Postgres) and "prometheus" in info.data:
            others[info.data["prometheus"].uid] = "Prometheus"
        if source.uid in others:
            raise ValueError(f"uid {source.uid!r} is the one of {others[source.uid]}; every data source needs its own")
        return source


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

    @field_validator("platform")
    @classmethod
    def _something_is_scraped(cls, targets: tuple[PlatformTarget, ...]) -> tuple[PlatformTarget, ...]:
        if not targets:
            raise ValueError("at least one is needed")
        return targets


class Exporter(_Section):
    """The exporter process. Intervals follow how fast a figure changes and what asking for it costs."""

    listen: Host = "127.0.0.1:9464"
    postgres_interval: Interval = "1m"
    langfuse_interval: Interval = "1m"
    query_timeout: Annotated[str, _between("1ms", "10m")] = "10s"
    max_age: Annotated[str, _between("1s", "30d")] = "15m"


class Thresholds(_Section):
    """Where an alert begins. The same numbers are drawn in the panels."""

    success_ratio: Share = 0.90
    response_seconds: Amount = 5.0
    error_ratio: Share = 0.05
    error_ratio_critical: Share = 0.20
    error_ratio_page: Share = 0.30
    response_seconds_page: Amount = 12.5
    budget_warning: Share = 0.80
    minimum_queries: Count = 10
    minimum_queries_page: Count = 5
    minimum_failures_page: Count = 5
    minimum_conversations: Count = 20

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
    monthly_usd: Amount = 4000.0


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

    smarthost: Address = "127.0.0.1:1025"
    sender: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] = "observatory@example.com"
    username: str | None = None
    password_file: str | None = None
    require_tls: bool = False

    @field_validator("password_file")
    @classmethod
    def _a_user_has_a_password(cls, file: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("username") and not file:
            raise ValueError("username is given without password_file; name the file that holds the password")
        return file


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

    @field_validator("environments")
    @classmethod
    def _all_is_no_name(cls, environments: tuple[str, ...]) -> tuple[str, ...]:
        if "all" in environments:
            raise ValueError("no environment can be called 'all', which stands for all of them")
        return environments

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
