"""No command says a secret, writes one to what it builds, or names one in an error; every command is tried."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from provisioning.cli import main

GONE = "http://127.0.0.1:1"
FILES = {
    "exporter_dsn": "postgresql://reader:canary-exporter@127.0.0.1:1/app",
    "advance_dsn": "postgresql://writer:canary-advance@127.0.0.1:1/app",
    "admin_dsn": "postgresql://admin:canary-admin@127.0.0.1:1/app",
    "actions_dsn": "host=127.0.0.1 port=1 user=ada password=canary-actions",
    "panels": "canary-panels",
    "langfuse_public": "pk-lf-canary-public",
    "langfuse_secret": "sk-lf-canary-secret",
    "grafana": "glsa_canary-grafana",
    "user_key": "canary-user-key-of-32-characters",
    "slack": "http://127.0.0.1:1/services/canary-slack",
    "smtp": "canary-smtp",
    "mimir": "canary-mimir",
    "bearer": "canary-bearer",
    "api_dsn": "postgresql://seer:canary-api@127.0.0.1:1/app",
    "api_tokens": "canary-token-pasted-by-mistake business",
}
COMMANDS = (
    "build --out built", "check --scenarios none --out checked", "check --scenarios none --format sarif",
    "doctor --tab overview", "rules backtest --days 1", "report --tab overview --format json --out report.json",
    "db status --dsn-file secrets/admin_dsn", "db install --dsn-file secrets/admin_dsn",
    "db map --check --dsn-file secrets/admin_dsn", "retention status --dsn-file secrets/admin_dsn",
    "retention apply --yes --archive old --dsn-file secrets/admin_dsn", "backup saved.zip --dsn-file secrets/admin_dsn",
    "restore saved.zip --yes --dsn-file secrets/admin_dsn",
    "plan", "plan --format json --only prometheus", "apply --yes --only mimir", "adopt dashboard observatory-overview",
    "release dashboard observatory-overview", "config show", "config explain sources.postgres.dsn_file", "config schema",
    "capacity --agents 10", "slo list", "budget set all --monthly-usd 1 --yes --dsn-file secrets/actions_dsn",
    "alert mute AgentErrorsPage --for 1h --reason why --yes --dsn-file secrets/actions_dsn",
    "regression list --dsn-file secrets/actions_dsn", "profile start billing --yes --dsn-file secrets/actions_dsn",
    "configure set billing batch_size 8 --yes --dsn-file secrets/actions_dsn", "cache list --dsn-file secrets/actions_dsn",
    "loadtest run --dsn-file secrets/actions_dsn", "advice list --dsn-file secrets/actions_dsn",
    "environments compare billing --dsn-file secrets/actions_dsn",
    "exporter backfill --days 1 --out history",
    "forecast list --dsn-file secrets/actions_dsn",
    "api", "api ask costs.models", "api token list", "api token remove reporting",
)  # fmt: skip
OFFLINE = ("build", "check", "config", "capacity", "slo")
"""Commands that need no server, and so come to their end here."""
STARTED = {"up", "down", "demo", "preview"}
"""Programs of their own, which the command becomes; the living stack is held to the same."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site all of whose secrets are canaries, and none of whose servers answers."""
    (tmp_path / "secrets").mkdir()
    for name, secret in FILES.items():
        (tmp_path / "secrets" / name).write_text(secret)
        (tmp_path / "secrets" / name).chmod(0o600)
    for folder in ("prometheus", "alertmanager", "manifests"):
        (tmp_path / folder).mkdir()
    sources = {
        "prometheus": {"url": GONE},
        "alertmanager": {"url": GONE},
        "grafana": {"url": GONE, "token_file": "secrets/grafana"},
        "postgres": {
            "host": "127.0.0.1:1", "dsn_file": "secrets/exporter_dsn", "advance_dsn_file": "secrets/advance_dsn",
            "password_file": "secrets/panels",
        },
        "langfuse": {
            "base_url": GONE, "public_key_file": "secrets/langfuse_public", "secret_key_file": "secrets/langfuse_secret",
        },
    }  # fmt: skip
    configuration = {
        "sources": sources,
        "exporter": {"bearer_token_file": "secrets/bearer"},
        "api": {"tokens_file": "secrets/api_tokens", "dsn_files": {"business": "secrets/api_dsn"}},
        "database": {"user_key_file": "secrets/user_key"},
        "notifications": {
            "slack": {"webhook_url_file": "secrets/slack"},
            "smtp": {"username": "mail", "password_file": "secrets/smtp"},
        },
        "targets": {
            "build": ["kubernetes", "thanos", "vmalert"],
            "prometheus": {"folder": "prometheus", "within": "2s"},
            "alertmanager": {"folder": "alertmanager", "within": "2s"},
            "kubernetes": {"folder": "manifests"},
            "mimir": {"url": GONE, "token_file": "secrets/mimir", "groups": 200, "alertmanager": True},
        },
    }
    (tmp_path / "observatory.yaml").write_text(yaml.safe_dump(configuration))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_is_tried() -> None:
    assert {shlex.split(command)[0] for command in COMMANDS} == set(main.commands) - STARTED


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_and_writes_no_secret(site: Path, command: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    done = CliRunner().invoke(main, shlex.split(command))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    assert done.exit_code == 0 or (command.split()[0] not in OFFLINE and done.exit_code in (1, 2, 3, 10, 11))
    assert "canary" not in done.output + caplog.text
    written = [file for file in site.rglob("*") if file.is_file() and "secrets" not in file.relative_to(site).parts]
    assert [file for file in written if b"canary" in file.read_bytes()] == []
