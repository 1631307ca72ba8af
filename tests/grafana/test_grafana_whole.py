"""The whole site, by the commands: all dashboards, next to what strangers made, and with secrets that nobody sees."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dashboards.catalogue import TABS
from provisioning.cli import main
from tests.grafana.server import TOKEN, GrafanaServer, Token
from tests.grafana.site import board

pytestmark = pytest.mark.usefixtures("built_once")
PASSWORD, SECRET_TOKEN = "canary-Pq77-password", "glsa_canary-Tk42"
OWNER = "agent-observatory"


@pytest.fixture
def config(tmp_path: Path, server: GrafanaServer, reaches: Callable[[str], None]) -> Path:
    """A site whose Grafana is the server of this folder."""
    server.tokens[SECRET_TOKEN] = Token()
    reaches(SECRET_TOKEN)
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    file = tmp_path / "site.yaml"
    file.write_text("sources:\n  postgres: {password_file: password, host: db.example.com:5432}\n")
    return file


def command(*words: str) -> Result:
    result = CliRunner().invoke(main, list(words))
    assert PASSWORD not in result.output + result.stderr
    assert SECRET_TOKEN not in result.output + result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_all_dashboards_are_applied_and_the_next_plan_is_empty(config: Path, server: GrafanaServer) -> None:
    first = command("plan", "--only", "grafana", "--config", str(config))
    assert first.exit_code == 10
    assert server.writes() == []
    applied = command("apply", "--yes", "--only", "grafana", "--config", str(config))
    assert applied.exit_code == 0, applied.output
    again = command("plan", "--only", "grafana", "--config", str(config))
    assert again.exit_code == 0, again.output
    writes = len(server.writes())
    assert command("apply", "--yes", "--only", "grafana", "--config", str(config)).exit_code == 0
    assert len(server.writes()) == writes

    held = server.world.dashboards
    assert set(held) == {tab.uid for tab in TABS} | {f"{OWNER}-ledger"}
    for tab in TABS:
        data = held[tab.uid]["data"]
        assert held[tab.uid]["folder"] == f"{OWNER}-{tab.folder.lower()}"
        assert (OWNER in data["tags"], data["editable"]) == (True, False)
    assert server.world.permissions[f"{OWNER}-administration"] == []
    assert server.world.permissions[f"{OWNER}-business"] == [
        {"role": "Editor", "permission": 1},
        {"role": "Viewer", "permission": 1},
    ]


def test_secrets_reach_the_data_source_and_nothing_else(config: Path, server: GrafanaServer) -> None:
    for words in (
        ["plan"], ["plan", "--format", "json"], ["plan", "--format", "markdown"],
        ["apply", "--dry-run"], ["apply", "--yes"], ["plan"], ["release", "data source", "postgres"],
    ):  # fmt: skip
        command(words[0], *words[1:], "--only", "grafana", "--config", str(config))
    assert server.world.secrets["postgres"] == {"password": PASSWORD}
    everything = repr([server.world.dashboards, server.world.data_sources, server.world.folders, server.world.annotations])
    assert PASSWORD not in everything
    assert SECRET_TOKEN not in everything


@pytest.mark.parametrize("wrong", ["unexpected-canary", "can\nary"])
def test_a_token_that_is_none_is_not_repeated(config: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("OBSERVATORY_GRAFANA_TOKEN", wrong)
    result = command("plan", "--only", "grafana", "--config", str(config))
    assert result.exit_code == 2
    assert "token" in result.stderr
    assert wrong not in result.output + result.stderr


def test_a_password_that_cannot_be_read_is_told_before_the_dashboards(config: Path, server: GrafanaServer) -> None:
    (config.parent / "password").unlink()
    result = command("apply", "--yes", "--only", "grafana", "--config", str(config))
    assert result.exit_code == 1
    assert "data source PostgreSQL: its password cannot be read" in result.stderr
    assert set(server.world.dashboards) == {f"{OWNER}-ledger"}


def test_the_plan_says_what_it_cannot_see(config: Path) -> None:
    with config.open("a") as file:
        file.write("my_usage:\n- {name: anna, login: my_anna, user_id: '1', organisation: 2, password_file: password}\n")
    told = json.loads(command("plan", "--format", "json", "--only", "grafana", "--config", str(config)).stdout)
    text = json.dumps(told)
    assert "the password of data source PostgreSQL: Grafana does not give it back, so it is not compared" in text
    assert "the dashboards of 1 persons" in text


def test_four_rights_are_enough_for_a_plan(config: Path, server: GrafanaServer) -> None:
    assert command("apply", "--yes", "--only", "grafana", "--config", str(config)).exit_code == 0
    reading = {"folders:read", "dashboards:read", "datasources:read", "folders.permissions:read"}
    server.tokens[SECRET_TOKEN].rights = reading
    assert command("plan", "--only", "grafana", "--config", str(config)).exit_code == 0


def test_what_the_token_may_not_touch_can_be_left_to_others(config: Path, server: GrafanaServer) -> None:
    with config.open("a") as file:
        file.write("grafana: {data_sources: false, permissions: false}\n")
    rights = {"folders:read", "folders:create", "dashboards:read", "dashboards:create", "dashboards:write"}
    server.tokens[SECRET_TOKEN].rights = rights | {"annotations:create"}
    applied = command("apply", "--yes", "--only", "grafana", "--config", str(config))
    assert applied.exit_code == 0, applied.output
    assert server.world.data_sources == {}


def test_names_that_are_too_long_for_a_uid_are_shortened(config: Path, server: GrafanaServer) -> None:
    """And a mixin's dashboards go to a folder of its own, which the site says who may see."""
    (config.parent / "mixin.libsonnet").write_text(
        "{ grafanaDashboards:: { 'Nodes.json': { title: 'Nodes', panels: [], schemaVersion: 39 } } }"
    )
    with config.open("a") as file:
        file.write("plan: {owner: observatory-of-the-north-and-the-south}\n")
        file.write(f"mixins: [{{name: machines-everywhere, library: {config.parent / 'mixin.libsonnet'}}}]\n")
        file.write("grafana: {folders: {mixins: {viewers: none, editors: none}}}\n")
    assert command("apply", "--yes", "--only", "grafana", "--config", str(config)).exit_code == 0
    folders = {folder["title"]: uid for uid, folder in server.world.folders.items()}
    assert set(folders) == {"Business", "Administration", "machines-everywhere"}
    assert all(len(uid) <= 40 for uid in folders.values())
    assert server.world.permissions[folders["machines-everywhere"]] == []
    held = server.world.dashboards["machines-everywhere-Nodes"]
    assert (held["data"]["title"], held["folder"]) == ("Nodes", folders["machines-everywhere"])


def test_alerts_are_not_evaluated_twice(config: Path) -> None:
    with config.open("a") as file:
        file.write(f"grafana: {{alerts: true}}\ntargets: {{prometheus: {{folder: {config.parent}}}}}\n")
    result = command("plan", "--only", "grafana", "--config", str(config))
    assert result.exit_code == 2
    assert "grafana.alerts: the alerts go to targets.prometheus.folder as well" in result.stderr


def test_what_strangers_made_stays_to_the_byte(config: Path, server: GrafanaServer) -> None:
    """Beside ours, in our folders, with the tag that our dashboards share, and of another owner."""
    world, client = server.world, _Hands(server)
    client.makes("/api/folders", {"uid": "handmade", "title": "Administration"})
    client.makes("/api/folders", {"uid": "agent-observatory-of-others", "title": "Others"})
    client.saves(board("by-hand", "Overview"), "handmade")
    client.saves(board("observatory-of-theirs", "Agents") | {"tags": ["observatory", "agent-observatories"]}, "")
    source = {"type": "prometheus", "access": "proxy", "url": "http://127.0.0.1:1", "jsonData": {"managedBy": "others"}}
    client.makes("/api/datasources", {**source, "name": "Theirs", "uid": "theirs", "isDefault": True})
    strange = {uid: copy.deepcopy(held) for uid, held in world.dashboards.items()}
    before = copy.deepcopy((world.folders, world.permissions, world.data_sources, world.secrets))

    assert command("apply", "--yes", "--only", "grafana", "--config", str(config)).exit_code == 0
    client.saves(board("in-ours", "Mine"), f"{OWNER}-business")
    strange["in-ours"] = copy.deepcopy(world.dashboards["in-ours"])

    with config.open("a") as file:  # nothing of the old owner is touched by a new one, and nothing is taken for its own
        file.write("plan: {owner: newcomer}\n")
    newcomer = command("apply", "--yes", "--only", "grafana", "--config", str(config))
    assert newcomer.exit_code == 1  # all uids are taken
    config.write_text(config.read_text().replace("plan: {owner: newcomer}\n", ""))
    assert command("plan", "--only", "grafana", "--config", str(config)).exit_code == 0

    for uid, held in strange.items():
        assert world.dashboards[uid] == held
    for kind, old in zip((world.folders, world.permissions, world.data_sources, world.secrets), before, strict=True):
        assert {uid: kind[uid] for uid in old} == old


class _Hands:
    """Somebody else at the same Grafana."""

    def __init__(self, server: GrafanaServer) -> None:
        from provisioning.targets.grafana.client import Client

        self._client = Client(server.url, TOKEN)

    def makes(self, path: str, body: object) -> None:
        self._client.post(path, body)

    def saves(self, dashboard: object, folder: str) -> None:
        self.makes("/api/dashboards/db", {"dashboard": dashboard, "folderUid": folder})
