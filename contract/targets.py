"""The other places that artefacts go to: Kubernetes objects as files, Mimir, and rule files for Thanos and VictoriaMetrics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from contract.served import ServedFolder
from contract.values import Count, Section, Url

Written = Literal["kubernetes", "thanos", "vmalert", "dashboards-v2"]
"""What `build` can write beside what Prometheus, Alertmanager and Grafana read."""

_WORD = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_SUBDOMAIN = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"

Namespace = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""A DNS label of RFC 1123: at most 63 characters."""
ObjectName = Annotated[str, Field(max_length=253, pattern=rf"^{_SUBDOMAIN}$")]
"""A DNS subdomain of RFC 1123."""
LabelName = Annotated[str, Field(max_length=317, pattern=rf"^({_SUBDOMAIN}/)?{_WORD}$")]
LabelValue = Annotated[str, Field(pattern=rf"^({_WORD})?$")]
Labels = dict[LabelName, LabelValue]
Image = Annotated[
    str,
    Field(
        max_length=400,
        pattern=r"^[a-z0-9][a-z0-9./:_-]*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|@sha256:[0-9a-f]{64})(@sha256:[0-9a-f]{64})?$",
    ),
]
"""With a tag, a digest, or both."""


def _each_once(names: tuple[Written, ...]) -> tuple[Written, ...]:
    if len(set(names)) < len(names):
        raise ValueError("something is named twice")
    return names


class KubernetesExporter(Section):
    """How the exporter runs in the cluster.

    `secret` is a Secret that the site makes: each file that the configuration names (`dsn_file`, `user_key_file`, …) is the key
    of it that is called as the file is. Only pods with `scraped_by` in namespace `scraped_from` may open its port.
    """

    image: Image = "agent-observatory:local"
    replicas: Annotated[int, Field(ge=1, le=50)] = 2
    secret: ObjectName = "observatory-exporter"  # noqa: S105  the name of an object
    cpu_millicores: Annotated[int, Field(ge=1, le=64_000)] = 50
    memory_mebibytes: Annotated[int, Field(ge=96, le=65_536)] = 384
    scraped_from: Namespace = "monitoring"
    scraped_by: Labels = Field(default_factory=lambda: {"app.kubernetes.io/name": "prometheus"})


class Kubernetes(Section):
    """Kubernetes objects as files, one a file, for a tool that brings a folder of a repository into a cluster.

    `folder` is that folder; without it `plan` and `apply` leave Kubernetes out. `labels` are added to every PrometheusRule and
    ServiceMonitor: what the Prometheus object selects by. `grafana` says who takes dashboards: the sidecar that reads
    ConfigMaps, or the operator with resources of its own, for instances with `instance_labels`. `alertmanager` is the Secret
    that is read as Alertmanager's configuration, `alertmanager_secret` the one with the files that it names. `grafana_secret`
    holds, as `postgres_password`, the password of Grafana's data source, and as `postgres_administration_password` that of the
    folder Administration's, where it has a login of its own.
    """

    folder: str | None = None
    namespace: Namespace = "monitoring"
    labels: Labels = Field(default_factory=dict)
    grafana: Literal["sidecar", "operator", "none"] = "sidecar"
    dashboard_label: LabelName = "grafana_dashboard"
    datasource_label: LabelName = "grafana_datasource"
    folder_annotation: LabelName = "grafana_folder"
    instance_labels: Labels = Field(default_factory=lambda: {"dashboards": "grafana"})
    grafana_secret: ObjectName = "observatory-grafana"  # noqa: S105  the name of an object
    alertmanager: ObjectName | None = "alertmanager-observatory"
    alertmanager_secret: ObjectName = "observatory-alertmanager"  # noqa: S105  the name of an object
    server_side_apply: bool = True
    exporter: KubernetesExporter | None = KubernetesExporter()


class Mimir(Section):
    """A tenant of Grafana Mimir, whose ruler and Alertmanager take rules and routes over HTTP.

    `url` is the address before `prefix`; without it Mimir is left out. With `user` the token is a password (as Grafana Cloud
    has it), else it is sent as a bearer token. The limits are those of the tenant; Mimir's own defaults stand here.
    """

    url: Url | None = None
    prefix: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_-]+)*$")] = "/prometheus"
    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9!._*'()-]{1,150}$")] = "anonymous"
    user: Annotated[str, Field(pattern=r"^[^:\s]+$")] | None = None
    token_file: str | None = None
    alertmanager: bool = False
    rules_per_group: Count = 20
    groups: Count = 70


class Thanos(Section):
    """What a rule of Thanos does while a store does not answer: `abort` gives no result, `warn` an incomplete one."""

    partial_response: Literal["abort", "warn"] = "abort"


class Targets(Section):
    """Where artefacts go beside the servers in `sources`. `build` names what the command of that name writes besides."""

    build: Annotated[tuple[Written, ...], AfterValidator(_each_once)] = ()
    prometheus: ServedFolder = ServedFolder()
    alertmanager: ServedFolder = ServedFolder()
    kubernetes: Kubernetes = Kubernetes()
    mimir: Mimir = Mimir()
    thanos: Thanos = Thanos()
