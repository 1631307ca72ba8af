"""The compose file cannot be run without an engine, so everything in it is held against what the project really has.

Its shape against a schema of what it may use; images, ports, secrets and volumes against the rules of the house; commands
against the programs that they start; paths and names against what `build` writes with docker/observatory.yaml.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from contract.settings import Settings
from provisioning import build, config

ROOT = Path(__file__).resolve().parents[2]
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image", "restart"],
    "properties": {
        "image": {"type": "string", "pattern": r"^[a-z0-9./-]+:[A-Za-z0-9._-]+(@sha256:[0-9a-f]{64})?$"},
        "build": {"type": "object", "properties": {"context": {"const": "."}}, "additionalProperties": False},
        "restart": {"enum": ["no", "unless-stopped"]},
        "user": {"enum": ["65534:65534", "101:101", "redis"]},
        "read_only": {"const": True},
        "tmpfs": {"type": "array", "items": {"const": "/tmp"}},
        "shm_size": {"type": "string", "pattern": "^[0-9]+mb$"},
        "security_opt": {"const": ["no-new-privileges:true"]},
        "cap_drop": {"const": ["ALL"]},
        "entrypoint": {"type": "array", "items": {"type": "string"}},
        "command": {"type": "array", "items": {"type": "string"}},
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "env_file": {"type": "array", "items": {"type": "string", "pattern": r"^secrets/[a-z_]+\.env$"}},
        "profiles": {"type": "array", "items": {"enum": ["langfuse", "push", "scale"]}, "minItems": 1, "maxItems": 1},
        "networks": {"type": "array", "items": {"enum": ["default", "langfuse"]}},
        "secrets": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "volumes": {"type": "array", "items": {"type": "string", "pattern": r"^[a-z_]+:/[a-z/]+(:ro)?$"}},
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:[0-9]+:[0-9]+$"}},
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "required": ["test", "interval", "timeout", "retries"],
            "properties": {
                "test": {"type": "array", "items": {"type": "string"}, "minItems": 2},
                "interval": {"type": "string"}, "timeout": {"type": "string"}, "start_period": {"type": "string"},
                "retries": {"type": "integer"},
            },
        },
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["condition"],
                "properties": {"condition": {"enum": ["service_healthy", "service_completed_successfully"]}},
                "additionalProperties": False,
            },
        },
    },
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "required": ["name", "services", "volumes", "secrets"],
    "additionalProperties": False,
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": {"type": "string"},
        "services": {"type": "object", "additionalProperties": SERVICE},
        "volumes": {"type": "object", "additionalProperties": {"type": "object", "maxProperties": 0}},
        "networks": {"const": {"default": {}, "langfuse": {"internal": True}}},
        "secrets": {
            "type": "object",
            "additionalProperties": {
                "type": "object", "required": ["file"], "additionalProperties": False,
                "properties": {"file": {"type": "string", "pattern": "^secrets/[a-z_]+$"}},
            },
        },
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


@pytest.fixture(scope="module")
def settings() -> Settings:
    return config.load(ROOT / "docker" / "observatory.yaml")


@pytest.fixture(scope="module")
def artefacts(settings: Settings) -> dict[str, bytes]:
    return build.artefacts(settings)


def test_shape(compose: dict[str, Any]) -> None:
    jsonschema.validate(compose, SCHEMA)


def test_a_port_open_to_the_network_would_be_refused(compose: dict[str, Any]) -> None:
    open_port = {**compose, "services": {"grafana": {**compose["services"]["grafana"], "ports": ["3000:3000"]}}}
    with pytest.raises(jsonschema.ValidationError, match="3000:3000"):
        jsonschema.validate(open_port, SCHEMA)


def test_images_have_exact_versions(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        tag = service["image"].split("@")[0].rsplit(":", 1)[1]
        exact = r"v?[0-9]+\.[0-9]+(\.[0-9]+)?(-cluster)?|RELEASE\.[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9-]{8}Z"
        assert tag == "local" or re.fullmatch(exact, tag), f"{name}: {service['image']}"
    assert services["grafana"]["image"].startswith("grafana/grafana:13.")
    assert services["prometheus"]["image"].startswith("prom/prometheus:v3.")


def test_ours_run_without_rights(services: dict[str, dict[str, Any]]) -> None:
    ours = [service for service in services.values() if service["image"] == "agent-observatory:local"]
    assert len(ours) == 8
    for service in ours:
        assert service["user"] == "65534:65534" and service["read_only"] and service["cap_drop"] == ["ALL"]


def test_volumes_are_declared_and_used(compose: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    used = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert used == set(compose["volumes"])


def test_dependencies_have_what_they_wait_for(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{name} waits for the health of {other}, which has no check"
            else:
                assert services[other]["restart"] == "no", f"{name} waits for the end of {other}, which never ends"


def test_long_running_services_are_checked_and_restarted(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert (service["restart"] == "unless-stopped") == ("healthcheck" in service), name


def test_secrets_are_made_declared_and_used(
    compose: dict[str, Any], services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    scripts = tmp_path / "scripts"
    shutil.copytree(ROOT / "scripts", scripts)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    subprocess.run([scripts / "secrets.sh"], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run([scripts / "secrets.sh"], check=True, capture_output=True)
    assert made == {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}, "a second run keeps them"
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    assert made["postgres_password"] != made["observatory_grafana_admin_password"]

    declared = set(compose["secrets"])
    assert declared <= set(made)
    used = {secret for service in services.values() for secret in service.get("secrets", [])}
    assert used == declared
    for name, service in services.items():
        text = yaml.safe_dump(service)
        named = set(re.findall(r"/run/secrets/([a-z_]+)", text))
        assert {f"secrets/{path}" for path in made} >= set(service.get("env_file", [])), name
        assert named <= set(service.get("secrets", [])), f"{name} reads a secret that it is not given"
    assert not re.search(r"(?i)password: *['\"]?[a-z0-9]+['\"]?$", (ROOT / "docker-compose.yml").read_text(), re.M)


def _config_secrets(settings: Settings) -> dict[str, set[str]]:
    """Secrets that the configuration names, by the service that reads them."""
    sources = settings.sources
    exporter = {sources.postgres.dsn_file, sources.langfuse.public_key_file, sources.langfuse.secret_key_file}
    logins = settings.api.dsn_files
    return {
        "exporter": {str(path) for path in exporter},
        "api": {str(path) for path in (logins.admin, logins.business, logins.self_service)},
        "grafana": {str(login.password_file) for login in (sources.postgres, sources.postgres.administration) if login},
        "alertmanager": {settings.notifications.slack.webhook_url_file},
    }


def test_secrets_of_the_configuration_reach_the_service_that_reads_them(
    settings: Settings, services: dict[str, dict[str, Any]]
) -> None:
    for name, paths in _config_secrets(settings).items():
        given = {f"/run/secrets/{secret}" for secret in services[name]["secrets"]}
        assert paths <= given, name


def test_addresses_of_the_configuration_are_services(settings: Settings, services: dict[str, dict[str, Any]]) -> None:
    text = (ROOT / "docker" / "observatory.yaml").read_text()
    inside = re.findall(r"(?:http://|\"|smarthost: \"?| )([a-z]+):([0-9]{4})", text)
    assert {"prometheus", "alertmanager", "postgres", "langfuse", "platform", "exporter", "sinks"} == {
        host for host, _ in inside
    }
    listening = {
        "prometheus": {"9090"}, "alertmanager": {"9093"}, "postgres": {"5432"}, "exporter": {"9464"},
        "platform": {"9470"}, "langfuse": {"3100"}, "sinks": {"8025", "1025"},
    }  # fmt: skip
    for host, port in inside:
        assert host in services and port in listening[host], f"{host}:{port}"
    for host in ("platform", "langfuse", "sinks"):
        words = services[host]["command"]
        ports = {words[i + 1] for i, word in enumerate(words) if word.endswith("port")}
        assert ports == listening[host]


def _help_of(entry: list[str]) -> str:
    shown = subprocess.run([sys.executable, *entry, "--help"], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def test_commands_have_the_options_that_they_are_given(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if service["image"] != "agent-observatory:local":
            continue
        words = [*service.get("entrypoint", []), *service["command"]]
        options = next(i for i, word in enumerate(words) if word.startswith("--"))
        program = words[1:options] if "entrypoint" in service else ["-m", "provisioning.cli", words[0]]
        text = _help_of(program)
        for word in words:
            assert not word.startswith("--") or re.search(rf"{word}\b", text), f"{name}: {program} has no {word}"


def test_files_that_the_services_open_are_built(services: dict[str, dict[str, Any]], artefacts: dict[str, bytes]) -> None:
    for name, service in services.items():
        named = re.findall(
            r"/artefacts/([A-Za-z0-9_./-]+)", yaml.safe_dump({k: v for k, v in service.items() if k != "volumes"})
        )
        for path in (path.rstrip("/") for path in named):
            assert any(built == path or built.startswith(path + "/") for built in artefacts), f"{name} opens {path}"


def test_paths_inside_built_files_exist_in_their_container(
    artefacts: dict[str, bytes], services: dict[str, dict[str, Any]]
) -> None:
    provider = yaml.safe_load(artefacts["grafana/provisioning/dashboards/observatory.yml"])
    for entry in provider["providers"]:
        told = services["grafana"]["environment"]["GF_PATHS_PROVISIONING"]
        path = os.path.normpath(entry["options"]["path"].replace("$__env{GF_PATHS_PROVISIONING}", told))
        assert path.startswith("/artefacts/grafana/dashboards"), path
        assert any(built.startswith(path.removeprefix("/artefacts/")) for built in artefacts)
    sources = artefacts["grafana/provisioning/datasources/observatory.yml"].decode()
    assert "$__file{/run/secrets/observatory_grafana_admin_password}" in sources
    assert "http://prometheus:9090" in sources and "postgres:5432" in sources


def test_pin_writes_all_digests_or_none(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("docker-compose.yml", "Dockerfile"):
        shutil.copy(ROOT / name, tmp_path / name)
    before = (tmp_path / "docker-compose.yml").read_text()
    fake = tmp_path / "bin" / "docker"
    fake.parent.mkdir()
    environment = {"PATH": f"{fake.parent}:/usr/bin:/bin"}

    fake.write_text('#!/bin/sh\ncase "$4" in grafana/*) exit 1 ;; *) printf sha256:%064d 7 ;; esac\n')
    fake.chmod(0o755)
    refused = subprocess.run([tmp_path / "scripts" / "pin.sh"], env=environment, capture_output=True, text=True)
    assert refused.returncode == 3 and "grafana/grafana" in refused.stderr
    assert (tmp_path / "docker-compose.yml").read_text() == before

    fake.write_text("#!/bin/sh\nprintf sha256:%064d 7\n")
    subprocess.run([tmp_path / "scripts" / "pin.sh"], env=environment, check=True, capture_output=True)
    pinned = yaml.safe_load((tmp_path / "docker-compose.yml").read_text())
    jsonschema.validate(pinned, SCHEMA)
    digest = f"@sha256:{7:064d}"
    assert all(s["image"].endswith((digest, ":local")) for s in pinned["services"].values())
    assert re.search(rf"^FROM python:[0-9.]+-slim-bookworm{digest}$", (tmp_path / "Dockerfile").read_text(), re.M)
    once = (tmp_path / "docker-compose.yml").read_text()
    subprocess.run([tmp_path / "scripts" / "pin.sh"], env=environment, check=True, capture_output=True)
    assert (tmp_path / "docker-compose.yml").read_text() == once, "pinning twice changes nothing"


def test_the_parts_of_the_distributed_engine_speak_to_each_other(services: dict[str, dict[str, Any]]) -> None:
    """Every address in their commands is a service of the profile, at the port that it listens on."""
    ours = {name: service for name, service in services.items() if service.get("profiles") == ["scale"]}
    assert len(ours) == 9
    listening = {
        "vmstorage": {"8400", "8401", "8482"}, "vminsert": {"8480"}, "vmselect": {"8481"}, "vmagent": {"8429"},
        "victoria-metrics": {"8428"}, "vmalert": {"8880"}, "alertmanager": {"9093"},
    }  # fmt: skip
    for name, service in ours.items():
        for host, port in re.findall(r"[=/,]([a-z][a-z-]*):([0-9]+)", " ".join(service["command"])):
            image = services[host]["image"].split("/")[1].split(":")[0]
            assert port in listening[image], f"{name}: {host}:{port}"
        (own,) = re.findall(r"http://127.0.0.1:([0-9]+)/health", " ".join(service["healthcheck"]["test"]))
        assert own in listening[service["image"].split("/")[1].split(":")[0]], name
    shares = {re.search("memberNum=([0-9])", " ".join(service["command"])) for service in ours.values()}
    assert sorted(found[1] for found in shares if found) == ["0", "1"]


def test_only_recorded_series_are_kept_for_long(services: dict[str, dict[str, Any]]) -> None:
    writes = [name for name, service in services.items() if any("vmlong" in word for word in service.get("command", []))]
    assert writes == ["vmagent-recorded"]
    fed = [name for name, service in services.items() if any("vmagent-recorded" in word for word in service.get("command", []))]
    assert fed == ["vmalert"]
