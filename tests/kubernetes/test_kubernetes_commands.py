"""The commands against a folder of manifests and a tenant of Mimir, as a site runs them; they never say a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from contract.settings import Settings
from provisioning import build
from provisioning.cli import main
from provisioning.targets.mimir import client
from tests.mimir.server import bearer, mimir

RULE = "agent-observatory-agent-alerts"
A_FEW = ("observatory-overview", "rules/agent_", "alertmanager/", "exporter", "datasources", "-observatory-agent-", "secret-")
SITE = """
sources:
  postgres: {dsn_file: secrets/dsn, password_file: secrets/grafana}
  langfuse: {secret_key_file: secrets/langfuse}
exporter: {bearer_token_file: secrets/scrape}
notifications: {slack: {webhook_url_file: secrets/slack}}
targets:
  build: [kubernetes, thanos, vmalert]
  kubernetes: {folder: manifests}
  mimir: {url: "%s", tenant: team, token_file: secrets/mimir, groups: 200, alertmanager: true}
"""


def observatory(*words: str) -> Result:
    found = CliRunner().invoke(main, words)
    assert "CANARY" not in found.output and "CANARY" not in repr(found.exception), words
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few files of a build, made once, are enough for all commands; and nobody waits for a server that is gone."""
    made: dict[str, dict[str, bytes]] = {}
    artefacts = build.artefacts

    def once(settings: Settings) -> dict[str, bytes]:
        key = settings.model_dump_json()
        if key not in made:
            made[key] = {path: body for path, body in artefacts(settings).items() if any(word in path for word in A_FEW)}
        return made[key]

    monkeypatch.setattr(build, "artefacts", once)
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.0)


def test_a_site_with_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OBSERVATORY_CONFIG", raising=False)
    (tmp_path / "secrets").mkdir(mode=0o700)
    for name in ("dsn", "grafana", "langfuse", "scrape", "slack", "mimir"):
        (tmp_path / "secrets" / name).write_text(f"https://example.com/CANARY-{name}" if name == "slack" else f"CANARY-{name}")
    with mimir() as (url, world):
        world.login = bearer("CANARY-mimir")
        (tmp_path / "observatory.yaml").write_text(SITE % url)

        assert observatory("build").exit_code == 0
        found = observatory("plan", "--format", "json")
        assert found.exit_code == 10 and not (tmp_path / "manifests").exists()
        assert observatory("plan", "--out", "plan.json", "--format", "markdown").exit_code == 10
        assert observatory("apply", "plan.json", "--yes").exit_code == 0
        assert observatory("plan").exit_code == 0

        stored = yaml.safe_load(yaml.safe_load(world.alertmanager["team"])["alertmanager_config"])
        assert stored["global"]["slack_api_url"].endswith("CANARY-slack")
        built = {path.name: path for path in (tmp_path / "build" / "kubernetes").iterdir()}
        written = {path.name: path for path in (tmp_path / "manifests").iterdir()}
        assert built.keys() == written.keys()

        assert observatory("release", "prometheus rule", RULE).exit_code == 0
        assert observatory("plan", "--only", "kubernetes").exit_code == 10
        assert observatory("adopt", "prometheus rule", RULE).exit_code == 0
        assert observatory("plan", "--only", "kubernetes").exit_code == 0

        world.login = bearer("another")
        refused = observatory("plan", "--only", "mimir")
        assert refused.exit_code == 2 and "targets.mimir.tenant" in refused.output
    silent = observatory("plan", "--only", "mimir")
    assert silent.exit_code == 3 and "does not answer" in silent.output
    files = [
        path for folder in ("build", "manifests", "plan.json") for path in [tmp_path / folder, *(tmp_path / folder).rglob("*")]
    ]
    assert not [path for path in files if path.is_file() and b"CANARY" in path.read_bytes()]
    assert json.loads((tmp_path / "plan.json").read_text())
