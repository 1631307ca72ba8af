"""The configuration of the house: what a site may change, with defaults that fit the demonstration.

`provisioning.config` reads `observatory.yaml` into `Settings`; every generator takes a `Settings` and nothing else.
Secrets are never part of it: only the paths of files that hold them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from contract.actions import Actions
from contract.anomaly import DEFAULTS as ANOMALY_DEFAULTS
from contract.anomaly import Anomalies, Anomaly
from contract.api import Api
from contract.data_plane import Database, Exporter, Price, Reconciliation
from contract.grafana import GrafanaContents
from contract.load_tests import LoadTests
from contract.mixins import Mixins
from contract.naming import Naming
from contract.notifications import Notifications, Team
from contract.own_alerts import OwnAlert
from contract.personal import Person, checked_persons
from contract.plan import Plan
from contract.slo import DEFAULTS as SLO_DEFAULTS
from contract.slo import Slo
from contract.targets import Targets
from contract.thresholds import Thresholds
from contract.values import Address, Amount, Host, Interval, Section, Uid, Url, between
from contract.waivers import Waiver


class Prometheus(Section):
    """Where Prometheus answers and how it is run."""

    url: Url = "http://127.0.0.1:9090"
    uid: Uid = "prometheus"
    scrape_interval: Interval = "15s"
    retention: Annotated[str, between("1h", "100y")] = "40d"


class AdministrationLogin(Section):
    """The login of the tabs in the folder Administration, as a data source of its own."""

    uid: Uid = "postgres-administration"
    user: str = "observatory_grafana_admin"
    password_file: str


class Postgres(Section):
    """The platform's database. Connection strings come from files or from OBSERVATORY_POSTGRES_DSN (reads) and
    OBSERVATORY_POSTGRES_ADVANCE_DSN (writes schema `analytics`; without it the exporter only reads).

    `user` is the login of the panels; with `administration`, those of the folder Administration have another one.
    """

    uid: Uid = "postgres"
    dsn_file: str | None = None
    advance_dsn_file: str | None = None
    host: Host = "127.0.0.1:5432"
    database: str = "postgres"
    user: str = "observatory_grafana"
    password_file: str | None = None
    administration: AdministrationLogin | None = None
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = "disable"

    def uid_of(self, folder: str) -> str:
        """The data source that the dashboards of a folder ask."""
        return self.administration.uid if self.administration and folder == "Administration" else self.uid


class Langfuse(Section):
    """Langfuse. LANGFUSE_BASE_URL, LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY override what stands here.

    `mode`: a ledger of every call in schema `analytics`, or windowed figures only; `auto` is the ledger where one can be
    written. `reread` is how far back calls are read again, because they arrive late, and `history` how far back the ledger is
    filled in. `prices` are for models without one.
    """

    base_url: Url = "https://cloud.langfuse.com"
    public_key_file: str | None = None
    secret_key_file: str | None = None
    plan: Literal["hobby", "core", "pro", "self-hosted"] = "self-hosted"
    mode: Literal["auto", "ledger", "metrics"] = "auto"
    reread: Annotated[str, between("1m", "1d")] = "20m"
    history: Annotated[str, between("1m", "10y")] = "35d"
    prices: tuple[Price, ...] = ()
    reconciliation: Reconciliation = Reconciliation()

    @field_validator("prices")
    @classmethod
    def _the_newest_first(cls, prices: tuple[Price, ...]) -> tuple[Price, ...]:
        """The first that fits is taken, so of two for the same models an older one above would hide the newer one."""
        oldest: dict[str, str] = {}
        for price in prices:
            models = price.model.casefold()  # as they are matched
            if models in oldest and (price.since or "") >= oldest[models]:
                raise ValueError(f"two prices of {price.model}: give the newer one `since`, and write it first")
            oldest[models] = price.since or ""
        return prices


class Alertmanager(Section):
    """Where alerts go, and are silenced."""

    url: Url = "http://127.0.0.1:9093"


class Grafana(Section):
    """Where people open dashboards; links of alerts point there.

    OBSERVATORY_GRAFANA_URL and OBSERVATORY_GRAFANA_TOKEN say where, and with which service account, plan and apply go there.
    """

    url: Url = "http://127.0.0.1:3000"
    token_file: str | None = None


class Sources(Section):
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


class PlatformTarget(Section):
    """One scrape target of the platform. There is one for each environment."""

    environment: str
    address: Address
    path: Annotated[str, Field(pattern=r"^/")] = "/metrics"


class Scrape(Section):
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


class Budget(Section):
    """Money for model calls in a calendar month (UTC). `scope` is `all` or an environment."""

    scope: str = "all"
    monthly_usd: Amount = 4000.0


class InterfacePrice(Section):
    """What one call of an external interface costs, whatever the other side answers. `name` is as the platform records it."""

    name: Annotated[str, Field(pattern=r"^\w[\w.:/ -]{0,99}$")]
    usd_per_call: Amount


class Settings(Section):
    """Everything. Lists of names bound the label sets that start at zero; they are not filters."""

    sources: Sources = Sources()
    scrape: Scrape = Scrape()
    exporter: Exporter = Exporter()
    api: Api = Api()
    database: Database = Database()
    thresholds: Thresholds = Thresholds()
    environments: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")], ...] = (
        "production",
        "staging",
        "development",
    )
    budgets: tuple[Budget, ...] = (Budget(),)
    interface_prices: tuple[InterfacePrice, ...] = ()
    teams: tuple[Team, ...] = (
        Team(name="platform", slack_channel="#platform-alerts", email="platform@example.com"),
        Team(name="agents", slack_channel="#agent-alerts", email="agents@example.com"),
        Team(name="finance", slack_channel="#cost-alerts", email="finance@example.com"),
        Team(name="support", slack_channel="#support-alerts", email="support@example.com"),
    )
    notifications: Notifications = Notifications()
    slo: tuple[Slo, ...] = SLO_DEFAULTS
    alerts: Annotated[tuple[OwnAlert, ...], Field(max_length=20)] = ()
    anomalies: Anomalies = ANOMALY_DEFAULTS
    load_tests: LoadTests = LoadTests()
    actions: Actions = Actions()
    runbook_url: Url = "http://127.0.0.1:3000/runbooks"
    waivers: tuple[Waiver, ...] = ()
    naming: Naming = Naming()
    mixins: Mixins = ()
    my_usage: Annotated[tuple[Person, ...], AfterValidator(checked_persons)] = ()
    plan: Plan = Plan()
    grafana: GrafanaContents = GrafanaContents()
    targets: Targets = Targets()

    @field_validator("environments", "budgets", "interface_prices", "teams", "slo", "alerts")
    @classmethod
    def _names_are_unique(cls, items: tuple[object, ...]) -> tuple[object, ...]:
        named = (InterfacePrice, Team, Slo, OwnAlert)
        names = [item.scope if isinstance(item, Budget) else item.name if isinstance(item, named) else item for item in items]
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

    @field_validator("slo")
    @classmethod
    def _are_of_this_site(cls, slos: tuple[Slo, ...], info: ValidationInfo) -> tuple[Slo, ...]:
        teams, environments = [team.name for team in info.data.get("teams", ())], info.data.get("environments", ())
        for slo in slos:
            if teams and slo.team not in teams:
                raise ValueError(f"team {slo.team!r} of service level {slo.name} is none of the teams {', '.join(teams)}")
            events = info.data["thresholds"].minimum_slo_events if "thresholds" in info.data else 0
            if slo.sli == "availability" and events >= 3600:
                few = f"thresholds.minimum_slo_events is {events}, and an hour has 3600"
                raise ValueError(f"service level {slo.name} counts seconds, so its page would never come: {few}")
            for environment in slo.environments:
                if environments and environment not in environments:
                    place, known = f"environment {environment!r} of service level {slo.name}", ", ".join(environments)
                    raise ValueError(f"{place} is none of the environments {known}")
        return slos

    @field_validator("load_tests")
    @classmethod
    def _are_for_environments(cls, tests: LoadTests, info: ValidationInfo) -> LoadTests:
        environments = info.data.get("environments", ())
        for target in tests.targets:
            if environments and target.environment not in environments:
                raise ValueError(f"environment {target.environment!r} is none of the environments {', '.join(environments)}")
        return tests

    @field_validator("anomalies")
    @classmethod
    def _somebody_is_told(cls, anomalies: tuple[Anomaly, ...], info: ValidationInfo) -> tuple[Anomaly, ...]:
        teams = [team.name for team in info.data.get("teams", ())]
        for anomaly in anomalies:
            if teams and anomaly.team not in teams:
                raise ValueError(f"team {anomaly.team!r} of anomaly {anomaly.label} is none of the teams {', '.join(teams)}")
        return anomalies

    @field_validator("waivers")
    @classmethod
    def _owners_are_teams(cls, waivers: tuple[Waiver, ...], info: ValidationInfo) -> tuple[Waiver, ...]:
        teams = [team.name for team in info.data.get("teams", ())]
        for waiver in waivers:
            if teams and waiver.owner not in teams:
                owner, known = f"{waiver.owner!r} of the waiver of {waiver.target}", ", ".join(teams)
                raise ValueError(f"owner {owner} is none of the teams {known}")
        return waivers
