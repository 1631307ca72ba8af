"""Every object that is written for Kubernetes: its shape, its limits, and that it says what the servers' own files say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from contract.settings import Settings
from provisioning import config
from provisioning.findings import ConfigError
from provisioning.targets.kubernetes.manifests import files, manifests
from tests.kubernetes.shapes import SHAPES

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Object = dict[str, Any]
SIDECAR: Object = {}
OPERATOR: Object = {"targets": {"kubernetes": {"grafana": "operator", "labels": {"release": "stack"}, "namespace": "watch"}}}
GUARDED: Object = {
    "exporter": {
        "listen": "127.0.0.1:9999",
        "tls": {"certificate_file": "tls/server.pem", "key_file": "tls/server.key", "client_ca_file": "tls/ca.pem"},
        "basic_auth": {"username": "prometheus", "password_file": "secrets/scrape"},
    },
    "sources": {
        "postgres": {"host": "db.internal:6432", "dsn_file": "/run/secrets/read_dsn", "password_file": "secrets/grafana"},
        "langfuse": {"base_url": "http://langfuse:3000", "secret_key_file": "secrets/langfuse_secret"},
    },
}
TOKEN: Object = {
    "exporter": {"tls": {"certificate_file": "a.pem", "key_file": "a.key"}, "bearer_token_file": "secrets/token"},
    "plan": {"owner": "team-a"},
}
SITES = {"sidecar": SIDECAR, "operator": OPERATOR, "guarded": GUARDED, "token": TOKEN}


def settings(given: Object) -> Settings:
    return Settings.model_validate(given)


def by_kind(site: str, built: Mapping[str, bytes], kind: str) -> list[Object]:
    return [one for one in manifests(settings(SITES[site]), built) if one["kind"] == kind]


def only(site: str, built: Mapping[str, bytes], kind: str) -> Object:
    (found,) = by_kind(site, built, kind)
    return found


def valid(document: Object) -> None:
    jsonschema.Draft202012Validator(SHAPES[document["kind"]]).validate(document)


@pytest.mark.parametrize("site", SITES)
def test_every_object_has_its_shape_and_is_what_its_file_says(built: dict[str, bytes], site: str) -> None:
    found = manifests(settings(SITES[site]), built)
    written = files(settings(SITES[site]), built)
    assert len(written) == len(found)
    for one, body in zip(found, written.values(), strict=True):
        valid(one)
        assert yaml.load(body, Loader=LOADER) == one


def test_shapes_refuse_what_is_not_right(built: dict[str, bytes]) -> None:
    deployment = only("sidecar", built, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    root = {**pod, "securityContext": {**pod["securityContext"], "runAsUser": 0}}
    wrong = [
        {**deployment, "spec": {**deployment["spec"], "replica": 2}},
        {**deployment, "metadata": {**deployment["metadata"], "name": "Not_a_name"}},
        {**deployment, "spec": {**deployment["spec"], "template": {**deployment["spec"]["template"], "spec": root}}},
    ]
    for one in wrong:
        with pytest.raises(jsonschema.ValidationError):
            valid(one)


def test_the_same_settings_give_the_same_bytes(built: dict[str, bytes]) -> None:
    assert files(Settings(), built) == files(Settings(), dict(reversed(built.items())))


def test_rules_are_those_of_prometheus(built: dict[str, bytes]) -> None:
    own = [yaml.safe_load(body)["groups"] for path, body in built.items() if path.startswith("prometheus/rules/")]
    found = [one["spec"]["groups"] for one in by_kind("sidecar", built, "PrometheusRule")]
    assert sorted(found, key=str) == sorted(own, key=str)
    assert all(one["metadata"]["labels"]["release"] == "stack" for one in by_kind("operator", built, "PrometheusRule"))


def test_dashboards_are_those_of_grafana_in_files_of_their_own(built: dict[str, bytes]) -> None:
    own = {
        Path(path).name: (Path(path).parent.name, body.decode())
        for path, body in built.items()
        if path.startswith("grafana/dashboards/")
    }
    maps = [one for one in by_kind("sidecar", built, "ConfigMap") if "grafana_dashboard" in one["metadata"]["labels"]]
    found = {
        name: (one["metadata"]["annotations"]["grafana_folder"], text) for one in maps for name, text in one["data"].items()
    }
    assert found == own and sum(len(one["data"]) for one in maps) == len(own)

    folders = {one["metadata"]["name"]: one["spec"]["title"] for one in by_kind("operator", built, "GrafanaFolder")}
    boards = by_kind("operator", built, "GrafanaDashboard")
    assert sorted((folders[one["spec"]["folderRef"]], one["spec"]["json"]) for one in boards) == sorted(own.values())


def test_nobody_is_told_a_password(built: dict[str, bytes]) -> None:
    (source,) = (one for one in by_kind("operator", built, "GrafanaDatasource") if "valuesFrom" in one["spec"])
    (value,) = source["spec"]["valuesFrom"]
    assert value["valueFrom"]["secretKeyRef"] == {"name": "observatory-grafana", "key": "postgres_password"}
    assert source["spec"]["datasource"]["secureJsonData"] == {"password": "${postgres_password}"}
    (sources,) = (one for one in by_kind("sidecar", built, "ConfigMap") if "grafana_datasource" in one["metadata"]["labels"])
    assert "$__env{OBSERVATORY_GRAFANA_POSTGRES_PASSWORD}" in sources["data"]["agent-observatory.yaml"]


def test_routes_are_those_of_alertmanager_with_files_where_the_operator_mounts_them(built: dict[str, bytes]) -> None:
    secret = only("sidecar", built, "Secret")
    found = yaml.safe_load(secret["stringData"]["alertmanager.yaml"])
    own = yaml.safe_load(built["alertmanager/alertmanager.yml"])
    assert found["global"].pop("slack_api_url_file") == "/etc/alertmanager/secrets/observatory-alertmanager/slack_webhook_url"
    assert own["global"].pop("slack_api_url_file").endswith("/slack_webhook_url")
    assert found.pop("templates") == ["/etc/alertmanager/config/*.tmpl"] and own.pop("templates") == ["templates/*.tmpl"]
    assert found == own
    templates = {Path(path).name: body.decode() for path, body in built.items() if path.startswith("alertmanager/templates/")}
    assert {name: text for name, text in secret["stringData"].items() if name != "alertmanager.yaml"} == templates


@pytest.mark.parametrize("site", SITES)
def test_the_configuration_of_the_exporter_can_be_read_and_says_the_same(
    built: dict[str, bytes], site: str, tmp_path: Path
) -> None:
    (held,) = (one for one in by_kind(site, built, "ConfigMap") if one["metadata"]["name"].endswith("-exporter"))
    file = tmp_path / "observatory.yaml"
    file.write_text(held["data"]["observatory.yaml"])
    read, own = config.load(file), settings(SITES[site])
    assert read.thresholds == own.thresholds and read.environments == own.environments and read.slo == own.slo
    assert read.exporter.listen == f"0.0.0.0:{own.exporter.listen.rpartition(':')[2]}"
    named = [value for key, value in _named(read.model_dump()) if not key.startswith(("notifications.",))]
    assert named and all(path.startswith("/etc/observatory/secrets/") for path in named)
    assert read.sources.postgres.password_file is None, "that is Grafana's"


def _named(node: object, at: str = "") -> list[tuple[str, str]]:
    if isinstance(node, dict):
        found = [(f"{at}{key}", value) for key, value in node.items() if key.endswith("_file") and isinstance(value, str)]
        return found + [pair for key, value in node.items() for pair in _named(value, f"{at}{key}.")]
    return []


def test_the_pod_and_what_reaches_it(built: dict[str, bytes]) -> None:
    deployment, service = only("guarded", built, "Deployment"), only("guarded", built, "Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == labels
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["tcpSocket"], "a kubelet has no certificate to show"
    policy = only("guarded", built, "NetworkPolicy")["spec"]
    assert (
        policy["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 9999}] and container["ports"][0]["containerPort"] == 9999
    )
    assert [one["port"] for one in policy["egress"][1]["ports"]] == [3000, 6432]
    (endpoint,) = only("guarded", built, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["scheme"] == "https" and endpoint["basicAuth"]["password"]["key"] == "scrape"
    (endpoint,) = only("token", built, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "observatory-exporter", "key": "token"}
    assert endpoint["tlsConfig"]["serverName"] == "team-a-exporter.monitoring.svc" and "cert" not in endpoint["tlsConfig"]


def test_another_configuration_starts_other_pods(built: dict[str, bytes]) -> None:
    def checksum(given: Object) -> str:
        (found,) = (one for one in manifests(settings(given), built) if one["kind"] == "Deployment")
        return str(found["spec"]["template"]["metadata"]["annotations"]["checksum/config"])

    assert checksum({}) == checksum({"targets": {"kubernetes": {"exporter": {"replicas": 3}}}})
    assert checksum({}) != checksum({"exporter": {"max_age": "10m"}})


def test_two_owners_do_not_meet(built: dict[str, bytes]) -> None:
    targets = {"kubernetes": {"alertmanager": None}}
    one, other = (files(settings({"plan": {"owner": owner}, "targets": targets}), built) for owner in ("team-a", "team-b"))
    assert not one.keys() & other.keys()


def test_the_longest_owner_still_has_names_that_are_taken(built: dict[str, bytes]) -> None:
    for grafana in ("sidecar", "operator"):
        for one in manifests(settings({"plan": {"owner": "a" * 40}, "targets": {"kubernetes": {"grafana": grafana}}}), built):
            valid(one)


def test_parts_can_be_left_out(built: dict[str, bytes]) -> None:
    given = {"targets": {"kubernetes": {"grafana": "none", "alertmanager": None, "exporter": None}}}
    assert {one["kind"] for one in manifests(settings(given), built)} == {"PrometheusRule"}


def test_what_a_server_would_refuse_is_not_written(built: dict[str, bytes]) -> None:
    board = "grafana/dashboards/Business/observatory-overview.json"
    with pytest.raises(ConfigError, match=r"ConfigMap .*observatory-overview.* 1,048,576"):
        manifests(Settings(), {**built, board: json.dumps("x" * 1_100_000).encode()})
    with pytest.raises(ConfigError, match=r"262,144.*kubectl apply"):
        manifests(settings({"targets": {"kubernetes": {"server_side_apply": False}}}), built)
    with pytest.raises(ConfigError, match="'team-' is no value of a label"):
        manifests(settings({"plan": {"owner": "team-"}}), built)
    upper = board.replace("observatory-overview", "Observatory_Overview")
    with pytest.raises(ConfigError, match="2 objects would have this file"):
        manifests(Settings(), {**built, upper: built[board]})
