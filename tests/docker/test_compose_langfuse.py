"""The real Langfuse of the compose file, held against what Langfuse version 4 needs to run.

What its programs read stands below as a table, by the documentation of self-hosted Langfuse; nothing but its pages may be
reachable, and nothing of it may run unless its profile is asked for.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LEAST = {
    "langfuse-web": ("docker.langfuse.com/langfuse/langfuse", (4, 16)),
    "langfuse-worker": ("docker.langfuse.com/langfuse/langfuse-worker", (4, 16)),
    "langfuse-clickhouse": ("clickhouse/clickhouse-server", (25, 12)),
    "langfuse-postgres": ("postgres", (15,)),
    "langfuse-redis": ("redis", (7,)),
    "langfuse-minio": ("quay.io/minio/minio", ()),
}
"""Services, their images, and the oldest versions that Langfuse 4 runs with."""

_S3 = ("BUCKET", "REGION", "ENDPOINT", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "FORCE_PATH_STYLE", "PREFIX")
BOTH = {
    "DATABASE_URL", "CLICKHOUSE_URL", "CLICKHOUSE_MIGRATION_URL", "CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD",
    "CLICKHOUSE_CLUSTER_ENABLED", "REDIS_HOST", "REDIS_PORT", "REDIS_AUTH", "SALT", "ENCRYPTION_KEY", "NEXTAUTH_URL",
    "TELEMETRY_ENABLED", *(f"LANGFUSE_S3_{kind}_UPLOAD_{name}" for kind in ("EVENT", "MEDIA") for name in _S3),
}  # fmt: skip
WEB = {
    "NEXTAUTH_SECRET", "LANGFUSE_INIT_ORG_ID", "LANGFUSE_INIT_PROJECT_ID", "LANGFUSE_INIT_PROJECT_PUBLIC_KEY",
    "LANGFUSE_INIT_PROJECT_SECRET_KEY", "LANGFUSE_INIT_USER_EMAIL", "LANGFUSE_INIT_USER_PASSWORD",
}  # fmt: skip
LISTENING = {
    "langfuse-web": "3000", "langfuse-worker": "3030", "langfuse-clickhouse": "8123", "langfuse-minio": "9000",
    "langfuse-postgres": "5432", "langfuse-redis": "6379",
}  # fmt: skip

Services = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def services() -> Services:
    found: Services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


@pytest.fixture(scope="module")
def langfuse(services: Services) -> Services:
    return {name: service for name, service in services.items() if "langfuse" in service.get("profiles", [])}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make secrets` makes."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    subprocess.run([folder / "scripts" / "secrets.sh"], check=True, capture_output=True)
    return folder / "secrets"


def _variables(service: dict[str, Any], secrets: Path) -> dict[str, str]:
    """What the engine gives to a service: its files, then what stands beside it."""
    found: dict[str, str] = {}
    for file in service.get("env_file", []):
        lines = (secrets / Path(file).name).read_text().splitlines()
        found |= dict(line.split("=", 1) for line in lines)
    return found | service.get("environment", {})


def test_the_parts_are_those_of_version_4(langfuse: Services) -> None:
    assert set(langfuse) == set(LEAST)
    for name, (image, oldest) in LEAST.items():
        found, tag = langfuse[name]["image"].split("@")[0].rsplit(":", 1)
        assert found == image
        assert not oldest or tuple(map(int, tag.split("."))) >= oldest, f"{name}: {tag}"
    web, worker = langfuse["langfuse-web"]["image"], langfuse["langfuse-worker"]["image"]
    assert web.rsplit(":", 1)[1] == worker.rsplit(":", 1)[1], "both programs are of one version"


def test_nothing_of_it_runs_unasked_and_nothing_waits_for_it(services: Services, langfuse: Services) -> None:
    for name, service in services.items():
        if "profiles" not in service:
            assert not set(service.get("depends_on", {})) & set(langfuse), name
    for name, service in langfuse.items():
        assert set(service.get("depends_on", {})) <= set(langfuse), f"{name} works without the rest of the stack"


def test_only_its_pages_are_published_where_nobody_else_listens(services: Services, langfuse: Services) -> None:
    assert {name: service["ports"] for name, service in langfuse.items() if "ports" in service} == {
        "langfuse-web": ["127.0.0.1:3001:3000"]
    }
    published = [port.split(":")[1] for service in services.values() for port in service.get("ports", [])]
    assert len(set(published)) == len(published)
    assert langfuse["langfuse-web"]["environment"]["NEXTAUTH_URL"] == "http://127.0.0.1:3001"


def test_its_stores_are_out_of_everybody_elses_reach(services: Services, langfuse: Services) -> None:
    for name, service in services.items():
        networks = service.get("networks", ["default"])
        expected = ["default", "langfuse"] if name == "langfuse-web" else ["langfuse"] if name in langfuse else ["default"]
        assert networks == expected, name


def test_both_programs_are_given_all_that_they_read(langfuse: Services, secrets: Path) -> None:
    web, worker = (_variables(langfuse[f"langfuse-{name}"], secrets) for name in ("web", "worker"))
    assert set(web) >= BOTH | WEB
    assert set(worker) >= BOTH
    assert not WEB & set(worker), "what the worker does not need it is not told"
    assert {name: web[name] for name in BOTH} == {name: worker[name] for name in BOTH}
    for name, value in {**web, **worker}.items():
        assert value and value[0] not in "'\"", f"{name}: the files are taken as they are, quotes too"
    assert web["TELEMETRY_ENABLED"] == "false"
    assert re.fullmatch("[0-9a-f]{64}", web["ENCRYPTION_KEY"])
    assert web["CLICKHOUSE_CLUSTER_ENABLED"] == "false"


def test_addresses_are_services_and_their_ports(langfuse: Services, secrets: Path) -> None:
    web = _variables(langfuse["langfuse-web"], secrets)
    text = "\n".join(value for name, value in web.items() if name != "NEXTAUTH_URL")
    pointed = dict(re.findall(r"(?:://|@)(langfuse-[a-z]+):([0-9]+)", text))
    assert pointed.pop("langfuse-clickhouse") in ("8123", "9000")
    assert pointed == {name: LISTENING[name] for name in ("langfuse-minio", "langfuse-postgres")}
    assert (web["REDIS_HOST"], web["REDIS_PORT"]) == ("langfuse-redis", LISTENING["langfuse-redis"])
    assert (
        web["CLICKHOUSE_URL"].endswith(":8123") and web["CLICKHOUSE_MIGRATION_URL"] == "clickhouse://langfuse-clickhouse:9000"
    )


def test_passwords_are_the_same_on_both_sides(langfuse: Services, secrets: Path) -> None:
    web = _variables(langfuse["langfuse-web"], secrets)
    clickhouse, objects = (_variables(langfuse[f"langfuse-{name}"], secrets) for name in ("clickhouse", "minio"))
    assert (web["CLICKHOUSE_USER"], web["CLICKHOUSE_PASSWORD"]) == (
        clickhouse["CLICKHOUSE_USER"],
        clickhouse["CLICKHOUSE_PASSWORD"],
    )
    for kind in ("EVENT", "MEDIA"):
        assert web[f"LANGFUSE_S3_{kind}_UPLOAD_ACCESS_KEY_ID"] == objects["MINIO_ROOT_USER"]
        assert web[f"LANGFUSE_S3_{kind}_UPLOAD_SECRET_ACCESS_KEY"] == objects["MINIO_ROOT_PASSWORD"]
        assert f"/data/{web[f'LANGFUSE_S3_{kind}_UPLOAD_BUCKET']} " in langfuse["langfuse-minio"]["command"][0]
    database = (secrets / "langfuse_database_password").read_text()
    assert web["DATABASE_URL"] == f"postgresql://langfuse:{database}@langfuse-postgres:5432/langfuse"
    assert web["REDIS_AUTH"] == (secrets / "langfuse_redis_password").read_text()
    for kind in ("public", "secret"):
        key = (secrets / f"langfuse_{kind}_key").read_text()
        assert web[f"LANGFUSE_INIT_PROJECT_{kind.upper()}_KEY"] == key, "the exporter's key is the project's"
    made = {path.name: path.read_text() for path in secrets.iterdir() if path.name.startswith("langfuse_") and not path.suffix}
    assert len(set(made.values())) == len(made), "no password is used twice"


def test_no_secret_stands_in_the_compose_file_or_open_to_others(langfuse: Services, secrets: Path) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for service in langfuse.values():
        for name in service.get("environment", {}):
            assert not re.search("PASSWORD$|SECRET|SALT|AUTH$|_KEY$|DATABASE_URL", name), name
    for path in secrets.iterdir():
        assert path.read_text().strip() not in text
        if path.suffix == ".env":
            assert path.stat().st_mode & 0o077 == 0


def test_redis_takes_its_password_without_showing_it(langfuse: Services, tmp_path: Path) -> None:
    """The command, run with programs that say what they were given."""
    (tmp_path / "password").write_text("hush")
    server = tmp_path / "redis-server"
    server.write_text('#!/bin/sh\nprintf "given: %s\\n" "$*"\ncat\n')
    server.chmod(0o755)
    shell, flag, script = langfuse["langfuse-redis"]["command"]
    script = script.replace("$$", "$").replace("/run/secrets/langfuse_redis_password", str(tmp_path / "password"))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run([shell, flag, script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "given: -\nrequirepass hush\nmaxmemory-policy noeviction\n"


def test_the_exporter_and_the_sender_find_it(services: Services) -> None:
    assert services["exporter"]["environment"] == {"LANGFUSE_BASE_URL": "${OBSERVATORY_LANGFUSE_URL:-http://langfuse:3100}"}
    sender = services["langfuse-push"]
    words = sender["entrypoint"]
    assert words[words.index("--to") + 1] == f"http://langfuse-web:{LISTENING['langfuse-web']}"
    assert sender["depends_on"]["langfuse-web"] == {"condition": "service_healthy"}
    for name in ("exporter", "langfuse-push"):
        assert {"langfuse_public_key", "langfuse_secret_key"} <= set(services[name]["secrets"])
    guide = (ROOT / "docs" / "langfuse.md").read_text()
    assert "OBSERVATORY_LANGFUSE_URL=http://langfuse-web:3000" in guide
    assert "langfuse-push" in guide
