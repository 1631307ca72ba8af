"""Configuration of the servers that read what `build` writes: Prometheus, and Grafana's data sources and dashboard folders.

Targets stand in files beside prometheus.yml (`targets/*.json`), which Prometheus re-reads by itself when they change.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from contract import viewers
from contract.personal import Person
from contract.settings import Postgres, Settings
from contract.values import duration_seconds
from provisioning.secrets import PANEL_PASSWORD_VARIABLE

Document = dict[str, Any]
ALERTMANAGER_UID = "alertmanager"
_COMMON: Document = {"access": "proxy", "editable": False}
_PERSONS_CONNECTIONS = 5
JOBS = ("platform", "exporter", "prometheus", "alertmanager")


def prometheus(settings: Settings) -> Document:
    """prometheus.yml. Every path in it is relative to the file."""
    interval = settings.sources.prometheus.scrape_interval
    timeout = interval if duration_seconds(interval) < 10 else "10s"
    sources = settings.sources
    ways = {"prometheus": sources.prometheus.url, "alertmanager": sources.alertmanager.url}
    alertmanagers = {
        **_way(sources.alertmanager.url, "path_prefix", ""),
        "file_sd_configs": [{"files": ["targets/alertmanagers.json"]}],
    }
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": timeout, "evaluation_interval": interval},
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [alertmanagers]},
        "scrape_configs": [_job(name, ways.get(name, "")) for name in (*JOBS, *_viewers(settings))],
    }


def _way(url: str, key: str, page: str) -> Document:
    """What `host:port` does not say of an address: https, and under `key` the folder that the server answers in."""
    parts = urlsplit(url)
    scheme = {"scheme": "https"} if parts.scheme == "https" else {}
    return {**scheme, key: f"{parts.path}{page}"} if parts.path else scheme


def _viewers(settings: Settings) -> dict[str, list[Document]]:
    """The query API as a job, where it counts who looks at dashboards."""
    return {viewers.JOB: [{"targets": [settings.api.listen]}]} if settings.api.viewers else {}


def _job(name: str, url: str) -> Document:
    job: Document = {"job_name": name, **_way(url, "metrics_path", "/metrics")}
    if name == "exporter":
        job["honor_labels"] = True  # its figures carry the environment that they belong to
    return {**job, "file_sd_configs": [{"files": [f"targets/{name}.json"], "refresh_interval": "15s"}]}


def targets(settings: Settings) -> dict[str, list[Document]]:
    """Target files by name, as Prometheus' file discovery reads them."""
    scrape, sources = settings.scrape, settings.sources
    alertmanager = [{"targets": [_address(sources.alertmanager.url)]}]
    return {
        "platform": [
            {
                "targets": [target.address],
                "labels": {"environment": target.environment, "__metrics_path__": target.path},
            }
            for target in scrape.platform
        ],
        "exporter": [{"targets": list(scrape.exporter)}],
        "prometheus": [{"targets": [_address(sources.prometheus.url)]}],
        "alertmanager": alertmanager,
        "alertmanagers": alertmanager,
        **_viewers(settings),
    }


def _address(url: str) -> str:
    """`host:port` of an address; the scheme's own port where it names none."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def datasources(settings: Settings) -> Document:
    """Grafana's data sources. Passwords are read by Grafana, from a file or from its environment."""
    prometheus, postgres = settings.sources.prometheus, settings.sources.postgres
    password = f"$__file{{{postgres.password_file}}}" if postgres.password_file else f"$__env{{{PANEL_PASSWORD_VARIABLE}}}"
    logins = [{"name": "PostgreSQL", "uid": postgres.uid, **_login(postgres, postgres.user, password, 10)}]
    if own := postgres.administration:
        login = _login(postgres, own.user, f"$__file{{{own.password_file}}}", 10)
        logins.append({"name": "PostgreSQL (administration)", "uid": own.uid, **login})
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "type": "prometheus",
                "uid": prometheus.uid,
                "url": prometheus.url,
                "isDefault": True,
                **_COMMON,
                "jsonData": {
                    "httpMethod": "POST",
                    "prometheusType": "Prometheus",
                    "timeInterval": prometheus.scrape_interval,
                    "alertmanagerUid": ALERTMANAGER_UID,
                },
            },
            *logins,
            {
                "name": "Alertmanager",
                "type": "alertmanager",
                "uid": ALERTMANAGER_UID,
                "url": settings.sources.alertmanager.url,
                **_COMMON,
                "jsonData": {"implementation": "prometheus", "handleGrafanaManagedAlerts": False},
            },
            *(_of_person(person, postgres) for person in settings.my_usage),
        ],
    }


def _of_person(person: Person, postgres: Postgres) -> Document:
    """The data source of one person: a login that reads that person's rows, in an organisation where nobody else is."""
    login = _login(postgres, person.login, f"$__file{{{person.password_file}}}", _PERSONS_CONNECTIONS)
    return {"name": "My usage", "uid": person.uid, "orgId": person.organisation, **login}


def _login(postgres: Postgres, user: str, password: str, connections: int) -> Document:
    """The platform's database, for one login."""
    return {
        "type": "grafana-postgresql-datasource",
        "url": postgres.host,
        "user": user,
        **_COMMON,
        "jsonData": {
            "database": postgres.database,
            "sslmode": postgres.sslmode,
            "maxOpenConns": connections,
            "maxIdleConns": 2,
        },
        "secureJsonData": {"password": password},
    }


def dashboard_providers(folders: tuple[str, ...], persons: tuple[Person, ...] = ()) -> Document:
    """One provider per folder, and one per person in that person's organisation."""
    everybodys = [_provider(f"observatory-{folder}", folder, folder) for folder in folders]
    of_persons = [
        {
            **_provider(f"observatory-my-usage-{person.name}", "Personal", f"Personal/{person.name}"),
            "orgId": person.organisation,
        }
        for person in persons
    ]
    return {"apiVersion": 1, "providers": [*everybodys, *of_persons]}


def _provider(name: str, folder: str, place: str) -> Document:
    """The dashboards lie beside the provisioning folder, which Grafana is told by this variable."""
    return {
        "name": name,
        "folder": folder,
        "type": "file",
        "allowUiUpdates": False,
        "disableDeletion": False,
        "updateIntervalSeconds": 10,
        "options": {"path": f"$__env{{GF_PATHS_PROVISIONING}}/../dashboards/{place}"},
    }
