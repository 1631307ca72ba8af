"""The shapes of objects as we use them, as JSON Schemas: every field that is written is named, and no other is allowed.

Written after the reference of the Kubernetes API (v1.34), of the Prometheus operator (monitoring.coreos.com/v1) and of the
Grafana operator (grafana.integreatly.org/v1beta1); each says more than is allowed here.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_DNS_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_QUALIFIED = rf"^({_DNS_LABEL}(\.{_DNS_LABEL})*/)?[A-Za-z0-9]([A-Za-z0-9._-]{{0,61}}[A-Za-z0-9])?$"
NAME: Schema = {
    "type": "string",
    "maxLength": 253,
    "pattern": r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
}
SHORT: Schema = {"type": "string", "pattern": r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"}
"""Of a Service, whose name is part of host names."""
TEXT: Schema = {"type": "string", "minLength": 1}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
DURATION: Schema = {
    "type": "string",
    "pattern": r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$",
}
LABELS: Schema = {
    "type": "object",
    "propertyNames": {"maxLength": 317, "pattern": _QUALIFIED},
    "additionalProperties": {"type": "string", "maxLength": 63, "pattern": r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$"},
}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}


def _of(required: str, optional: str = "", **properties: Schema) -> Schema:
    """An object with these fields and no others."""
    names = {*required.split(), *optional.split()}
    assert names == properties.keys(), names ^ properties.keys()
    return {"type": "object", "additionalProperties": False, "required": required.split(), "properties": properties}


def _list(items: Schema, least: int = 1, most: int = 1000) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _resource(api: str, kind: str, name: Schema = NAME, **body: Schema) -> Schema:
    metadata = _of(
        "name namespace labels",
        "annotations",
        name=name,
        namespace={"type": "string", "pattern": rf"^{_DNS_LABEL}$"},
        labels=LABELS,
        annotations={**TEXTS, "propertyNames": {"pattern": _QUALIFIED}},
    )
    required = f"apiVersion kind metadata {' '.join(body)}"
    return _of(required, apiVersion={"const": api}, kind={"const": kind}, metadata=metadata, **body)


SELECTOR = _of("matchLabels", matchLabels=LABELS)
KEY = _of("name key", name=NAME, key={"type": "string", "pattern": r"^[-._a-zA-Z0-9]{1,253}$"})
_HELD = _of("secret", secret=KEY)
_RULE = {
    "oneOf": [
        _of(
            "record expr", "labels", record={"type": "string", "pattern": "^[a-zA-Z_:][a-zA-Z0-9_:]*$"}, expr=TEXT, labels=TEXTS
        ),
        _of(
            "alert expr labels annotations",
            "for keep_firing_for",
            alert=TEXT,
            expr=TEXT,
            labels=TEXTS,
            annotations=TEXTS,
            **{"for": DURATION, "keep_firing_for": {**DURATION, "minLength": 1}},
        ),
    ]
}
_GROUP = _of("name rules", "interval", name=TEXT, interval=DURATION, rules=_list(_RULE, 1, 20))
_ENDPOINT = _of(
    "port path interval scheme honorLabels",
    "tlsConfig authorization basicAuth",
    port=TEXT,
    path=TEXT,
    interval=DURATION,
    scheme={"enum": ["http", "https"]},
    honorLabels={"const": True},
    tlsConfig=_of("ca serverName", "cert keySecret", ca=_HELD, serverName=TEXT, cert=_HELD, keySecret=KEY),
    authorization=_of("type credentials", type={"const": "Bearer"}, credentials=KEY),
    basicAuth=_of("username password", username=KEY, password=KEY),
)  # fmt: skip
_ASKED = {
    "oneOf": [
        {"required": ["httpGet"], "not": {"required": ["tcpSocket"]}},
        {"required": ["tcpSocket"], "not": {"required": ["httpGet"]}},
    ]
}
_PROBE = {
    **_of(
        "periodSeconds failureThreshold",
        "httpGet tcpSocket timeoutSeconds",
        httpGet=_of("path port scheme", path={"enum": ["/healthz", "/readyz"]}, port=TEXT, scheme={"enum": ["HTTP", "HTTPS"]}),
        tcpSocket=_of("port", port=TEXT),
        periodSeconds={"type": "integer", "minimum": 1},
        timeoutSeconds={"type": "integer", "minimum": 1},
        failureThreshold={"type": "integer", "minimum": 1},
    ),
    **_ASKED,
}
_AMOUNT = {"type": "string", "pattern": "^[0-9]+(m|Mi)$"}
_CONTAINER = _of(
    "name image args ports startupProbe livenessProbe readinessProbe resources securityContext volumeMounts",
    name=TEXT,
    image={"type": "string", "pattern": "[:@]"},
    args=_list(TEXT),
    ports=_list(_of("name containerPort protocol", name={"maxLength": 15}, containerPort=PORT, protocol={"const": "TCP"})),
    startupProbe=_PROBE,
    livenessProbe=_PROBE,
    readinessProbe=_PROBE,
    resources=_of(
        "requests limits", requests=_of("cpu memory", cpu=_AMOUNT, memory=_AMOUNT), limits=_of("memory", memory=_AMOUNT)
    ),
    securityContext=_of(
        "allowPrivilegeEscalation readOnlyRootFilesystem capabilities",
        allowPrivilegeEscalation={"const": False},
        readOnlyRootFilesystem={"const": True},
        capabilities=_of("drop", drop={"const": ["ALL"]}),
    ),
    volumeMounts=_list(
        _of(
            "name mountPath", "subPath readOnly", name=TEXT, mountPath={"pattern": "^/"}, subPath=TEXT, readOnly={"const": True}
        )
    ),
)
_NOT_ROOT = {"type": "integer", "minimum": 1}
_POD = _of(
    "automountServiceAccountToken securityContext topologySpreadConstraints containers volumes",
    automountServiceAccountToken={"const": False},
    securityContext=_of(
        "runAsNonRoot runAsUser runAsGroup fsGroup seccompProfile",
        runAsNonRoot={"const": True},
        runAsUser=_NOT_ROOT,
        runAsGroup=_NOT_ROOT,
        fsGroup=_NOT_ROOT,
        seccompProfile=_of("type", type={"const": "RuntimeDefault"}),
    ),
    topologySpreadConstraints=_list(
        _of(
            "maxSkew topologyKey whenUnsatisfiable labelSelector",
            maxSkew={"const": 1},
            topologyKey=TEXT,
            whenUnsatisfiable={"enum": ["ScheduleAnyway", "DoNotSchedule"]},
            labelSelector=SELECTOR,
        )
    ),
    containers=_list(_CONTAINER, 1, 1),
    volumes=_list(
        {
            "oneOf": [
                _of("name configMap", name=TEXT, configMap=_of("name", name=NAME)),
                _of(
                    "name secret",
                    name=TEXT,
                    secret=_of("secretName defaultMode", secretName=NAME, defaultMode={"const": 0o440}),
                ),
                _of("name emptyDir", name=TEXT, emptyDir=_of("sizeLimit", sizeLimit=_AMOUNT)),
            ]
        }
    ),
)
_DEPLOYMENT = _of(
    "replicas revisionHistoryLimit strategy selector template",
    replicas={"type": "integer", "minimum": 1},
    revisionHistoryLimit={"type": "integer", "minimum": 0},
    strategy=_of(
        "type rollingUpdate",
        type={"const": "RollingUpdate"},
        rollingUpdate=_of("maxUnavailable maxSurge", maxUnavailable={"const": 0}, maxSurge={"const": 1}),
    ),
    selector=SELECTOR,
    template=_of("metadata spec", metadata=_of("labels annotations", labels=LABELS, annotations=TEXTS), spec=_POD),
)
_SERVICE = _of(
    "type selector ports",
    type={"const": "ClusterIP"},
    selector=LABELS,
    ports=_list(_of("name port targetPort", name=TEXT, port=PORT, targetPort=TEXT)),
)
_OPEN = _list(_of("protocol port", protocol={"enum": ["TCP", "UDP"]}, port=PORT))
_POLICY = _of(
    "podSelector policyTypes ingress egress",
    podSelector=SELECTOR,
    policyTypes={"const": ["Egress", "Ingress"]},
    ingress=_list(
        _of(
            "from ports",
            ports=_OPEN,
            **{"from": _list(_of("namespaceSelector podSelector", namespaceSelector=SELECTOR, podSelector=SELECTOR))},
        )
    ),
    egress=_list(_of("ports", ports=_OPEN)),
)
_MONITOR = _of("jobLabel selector endpoints", jobLabel=TEXT, selector=SELECTOR, endpoints=_list(_ENDPOINT))
_SOURCE = _of(
    "name type uid url access editable jsonData",
    "isDefault user secureJsonData",
    name=TEXT,
    type=TEXT,
    uid={"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"},
    url=TEXT,
    access={"const": "proxy"},
    editable={"const": False},
    jsonData={"type": "object"},
    isDefault={"type": "boolean"},
    user=TEXT,
    secureJsonData=_of("password", password={"const": "${postgres_password}"}),
)
_VALUE = _of("targetPath valueFrom", targetPath=TEXT, valueFrom=_of("secretKeyRef", secretKeyRef=KEY))
_FOLDER = _of(
    "instanceSelector title uid",
    instanceSelector=SELECTOR,
    title=TEXT,
    uid={"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}$"},
)
_FILES = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": "^[-._a-zA-Z0-9]{1,253}$"},
    "additionalProperties": {"type": "string"},
}

SHAPES: dict[str, Schema] = {
    "PrometheusRule": _resource("monitoring.coreos.com/v1", "PrometheusRule", spec=_of("groups", groups=_list(_GROUP))),
    "ServiceMonitor": _resource("monitoring.coreos.com/v1", "ServiceMonitor", spec=_MONITOR),
    "Secret": _resource("v1", "Secret", type={"const": "Opaque"}, stringData={**_FILES, "required": ["alertmanager.yaml"]}),
    "ConfigMap": _resource("v1", "ConfigMap", data=_FILES),
    "Deployment": _resource("apps/v1", "Deployment", spec=_DEPLOYMENT),
    "Service": _resource("v1", "Service", name=SHORT, spec=_SERVICE),
    "NetworkPolicy": _resource("networking.k8s.io/v1", "NetworkPolicy", spec=_POLICY),
    "PodDisruptionBudget": _resource(
        "policy/v1", "PodDisruptionBudget", spec=_of("maxUnavailable selector", maxUnavailable={"const": 1}, selector=SELECTOR)
    ),
    "GrafanaFolder": _resource("grafana.integreatly.org/v1beta1", "GrafanaFolder", spec=_FOLDER),
    "GrafanaDatasource": _resource(
        "grafana.integreatly.org/v1beta1",
        "GrafanaDatasource",
        spec=_of(
            "instanceSelector datasource", "valuesFrom", instanceSelector=SELECTOR, datasource=_SOURCE, valuesFrom=_list(_VALUE)
        ),
    ),
    "GrafanaDashboard": _resource(
        "grafana.integreatly.org/v1beta1",
        "GrafanaDashboard",
        spec=_of("instanceSelector folderRef json", instanceSelector=SELECTOR, folderRef=NAME, json=TEXT),
    ),
}
