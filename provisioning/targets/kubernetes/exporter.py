"""The exporter in a cluster: its configuration, Deployment, Service, ServiceMonitor, NetworkPolicy and PodDisruptionBudget.

It runs as nobody, with a root file system that cannot be written to, without capabilities and without an account of the
cluster. Replicas serve equal figures, because these come from the database: they are there for one of them to be absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from contract.settings import Settings
from contract.targets import KubernetesExporter
from provisioning.targets.kubernetes.objects import COMPONENT, HEADING, INSTANCE, NAME, PRODUCT, Maker, Object
from provisioning.text import as_yaml

_FOLDER = "/etc/observatory"
_SECRETS = f"{_FOLDER}/secrets"
_FILE = "observatory.yaml"
_PORT = "metrics"
_NOBODY = 65534
_NOT_ITS_OWN = {"plan", "targets", "grafana", "waivers", "my_usage", "notifications", "runbook_url", "scrape"}
"""Parts of the configuration that the exporter does not read, and so needs no secrets of."""


def objects(maker: Maker) -> Iterator[Object]:
    wanted = maker.settings.targets.kubernetes.exporter
    if wanted is None:
        return
    name, port, labels = maker.name("exporter"), int(maker.settings.exporter.listen.rpartition(":")[2]), _labels(maker)
    configuration = as_yaml(_configuration(maker.settings), HEADING).decode()
    yield maker.make("v1", "ConfigMap", name, {"data": {_FILE: configuration}}, labels)
    yield maker.make("apps/v1", "Deployment", name, {"spec": _deployment(maker, wanted, configuration, port)}, labels)
    service = {"type": "ClusterIP", "selector": labels, "ports": [{"name": _PORT, "port": port, "targetPort": _PORT}]}
    yield maker.make("v1", "Service", name, {"spec": service}, labels)
    scraping, selected = {"spec": _scraping(maker, wanted)}, {**labels, **maker.settings.targets.kubernetes.labels}
    yield maker.make("monitoring.coreos.com/v1", "ServiceMonitor", name, scraping, selected)
    yield maker.make("networking.k8s.io/v1", "NetworkPolicy", name, {"spec": _connections(maker, wanted, port)}, labels)
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    yield maker.make("policy/v1", "PodDisruptionBudget", name, {"spec": budget}, labels)


def _labels(maker: Maker) -> dict[str, str]:
    """What its pods are known by, beside those of other owners."""
    return {NAME: PRODUCT, INSTANCE: maker.owner, COMPONENT: "exporter"}


def _configuration(settings: Settings) -> dict[str, Any]:
    """The site's configuration as the container sees it: files in the mounted Secret, and a port that the pod opens."""
    found: dict[str, Any] = settings.model_dump(mode="json", exclude_defaults=True, exclude=_NOT_ITS_OWN)
    found = _mounted(found)
    found.get("sources", {}).get("postgres", {}).pop("password_file", None)  # Grafana's
    found.get("sources", {}).get("grafana", {}).pop("token_file", None)
    found.get("database", {}).pop("logins", None)
    sources = found.setdefault("sources", {})
    sources.setdefault("postgres", {}).setdefault("dsn_file", f"{_SECRETS}/postgres_dsn")
    found.setdefault("exporter", {})["listen"] = f"0.0.0.0:{settings.exporter.listen.rpartition(':')[2]}"
    return {key: value for key, value in found.items() if value != {}}


def _mounted(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _secret(value) if key.endswith("_file") and value else _mounted(value) for key, value in node.items()}
    return [_mounted(item) for item in node] if isinstance(node, list | tuple) else node


def _secret(path: str) -> str:
    return f"{_SECRETS}/{PurePosixPath(path).name}"


def _deployment(maker: Maker, wanted: KubernetesExporter, configuration: str, port: int) -> Object:
    # other pods when the configuration changes: a mounted ConfigMap alone restarts nothing
    annotations = {"checksum/config": sha256(configuration.encode()).hexdigest()}
    return {
        "replicas": wanted.replicas,
        "revisionHistoryLimit": 3,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "selector": {"matchLabels": _labels(maker)},
        "template": {"metadata": {"labels": _labels(maker), "annotations": annotations}, "spec": _pod(maker, wanted, port)},
    }


def _pod(maker: Maker, wanted: KubernetesExporter, port: int) -> Object:
    volumes = [
        {"name": "configuration", "configMap": {"name": maker.name("exporter")}},
        {"name": "secrets", "secret": {"secretName": wanted.secret, "defaultMode": 0o440}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "16Mi"}},
    ]
    mounts = [
        {"name": "configuration", "mountPath": f"{_FOLDER}/{_FILE}", "subPath": _FILE, "readOnly": True},
        {"name": "secrets", "mountPath": _SECRETS, "readOnly": True},
        {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108  in the container
    ]
    memory = f"{wanted.memory_mebibytes}Mi"
    container: Object = {
        "name": "exporter",
        "image": wanted.image,
        "args": ["exporter", "--config", f"{_FOLDER}/{_FILE}"],
        "ports": [{"name": _PORT, "containerPort": port, "protocol": "TCP"}],
        **_probes(maker.settings),
        "resources": {"requests": {"cpu": f"{wanted.cpu_millicores}m", "memory": memory}, "limits": {"memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
    return {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "fsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": _labels(maker)},
            }
        ],
        "containers": [container],
        "volumes": volumes,
    }


def _probes(settings: Settings) -> Object:
    """A kubelet has no certificate to show: where one is asked for, an open port has to do."""
    tls = settings.exporter.tls

    def asks(path: str) -> Object:
        if tls is not None and tls.client_ca_file:
            return {"tcpSocket": {"port": _PORT}}
        return {"httpGet": {"path": path, "port": _PORT, "scheme": "HTTPS" if tls else "HTTP"}}

    return {
        "startupProbe": {**asks("/healthz"), "periodSeconds": 2, "failureThreshold": 60},
        "livenessProbe": {**asks("/healthz"), "periodSeconds": 20, "timeoutSeconds": 5, "failureThreshold": 3},
        "readinessProbe": {**asks("/readyz"), "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3},
    }


def _scraping(maker: Maker, wanted: KubernetesExporter) -> Object:
    """Its figures carry the environment that they belong to, so their labels win; the job is called as the rules expect."""
    settings = maker.settings
    exporter = settings.exporter
    way: Object = {
        "port": _PORT,
        "path": "/metrics",
        "interval": settings.sources.prometheus.scrape_interval,
        "scheme": "https" if exporter.tls else "http",
        "honorLabels": True,
    }

    def key(path: str) -> Object:
        return {"name": wanted.secret, "key": PurePosixPath(path).name}

    if exporter.tls:
        namespace = settings.targets.kubernetes.namespace
        way["tlsConfig"] = {
            "ca": {"secret": key(exporter.tls.certificate_file)},
            "serverName": f"{maker.name('exporter')}.{namespace}.svc",
        }
        if exporter.tls.client_ca_file:
            way["tlsConfig"] |= {"cert": {"secret": key("scraper_certificate")}, "keySecret": key("scraper_key")}
    if exporter.bearer_token_file:
        way["authorization"] = {"type": "Bearer", "credentials": key(exporter.bearer_token_file)}
    elif exporter.basic_auth:
        way["basicAuth"] = {"username": key("scraper_username"), "password": key(exporter.basic_auth.password_file)}
    return {"jobLabel": COMPONENT, "selector": {"matchLabels": _labels(maker)}, "endpoints": [way]}


def _connections(maker: Maker, wanted: KubernetesExporter, port: int) -> Object:
    """In: whoever scrapes. Out: names, PostgreSQL and Langfuse, by port: a policy knows no host names."""
    scrapers = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": wanted.scraped_from}},
        "podSelector": {"matchLabels": dict(wanted.scraped_by)},
    }
    sources = maker.settings.sources
    langfuse = urlsplit(sources.langfuse.base_url)
    database = sources.postgres.host.rpartition(":")[2]
    ports = {int(database) if database.isdecimal() else 5432, langfuse.port or (443 if langfuse.scheme == "https" else 80)}
    names = {"ports": [{"protocol": protocol, "port": 53} for protocol in ("TCP", "UDP")]}
    return {
        "podSelector": {"matchLabels": _labels(maker)},
        "policyTypes": ["Egress", "Ingress"],
        "ingress": [{"from": [scrapers], "ports": [{"protocol": "TCP", "port": port}]}],
        "egress": [names, {"ports": [{"protocol": "TCP", "port": one} for one in sorted(ports)]}],
    }
