"""A small site that is applied to a Grafana, and people who do things there by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.grafana import FolderAccess
from provisioning.plan import apply as applying
from provisioning.plan import changes, ownership
from provisioning.plan.changes import Change, Choice, Plan
from provisioning.plan.objects import Key, Live, State, Wanted
from provisioning.plan.verdict import Verdict
from provisioning.targets.grafana import dashboards, data_sources, folders, permissions
from provisioning.targets.grafana.client import Client
from provisioning.targets.grafana.target import GrafanaTarget

Json = dict[str, Any]
PASSWORD = "canary-Zx81-password"
BOARDS = {"agents": "Agents", "cost": "Cost"}


def board(uid: str, title: str, expr: str = "up") -> Json:
    """A dashboard with one panel."""
    panel = {
        "id": 7,
        "type": "timeseries",
        "title": "Targets that answer",
        "gridPos": {"x": 0, "y": 0, "w": 24, "h": 8},
        "fieldConfig": {"defaults": {"unit": "short"}, "overrides": []},
        "targets": [{"refId": "A", "expr": expr, "datasource": {"type": "prometheus", "uid": "prometheus"}}],
    }
    return {"uid": uid, "title": title, "tags": ["observatory"], "schemaVersion": 42, "panels": [panel]}


@dataclass
class Site:
    """`owner` begins every name, so that a real Grafana is left as it was."""

    client: Client
    owner: str

    def uid(self, name: str) -> str:
        return f"{self.owner}-{name}"

    def key(self, name: str) -> Key:
        return Key("dashboard", self.uid(name))

    def wanted(
        self, boards: Mapping[str, str] = BOARDS, expr: str = "up", business: FolderAccess | None = None
    ) -> tuple[Wanted, ...]:
        """Two folders with permissions, a data source with a password, and dashboards by name with their titles."""
        access = business or FolderAccess(viewers="view")
        definition = {
            "name": f"{self.owner} PostgreSQL",
            "uid": self.uid("postgres"),
            "type": "grafana-postgresql-datasource",
            "url": "127.0.0.1:5432",
            "user": "reader",
            "access": "proxy",
            "editable": False,
            "isDefault": True,
            "jsonData": {"database": "platform", "sslmode": "disable", "handleGrafanaManagedAlerts": False},
            "secureJsonData": {"password": "$__env{OBSERVATORY_TEST_PASSWORD}"},
        }
        home = folders.uid(self.owner, "Business")
        return (
            folders.wanted(self.owner, "Administration"),
            folders.wanted(self.owner, "Business"),
            permissions.wanted(self.owner, "Administration", FolderAccess()),
            permissions.wanted(self.owner, "Business", access),
            data_sources.wanted(definition),
            *(dashboards.wanted(board(self.uid(name), title, expr), home, self.owner, False) for name, title in boards.items()),
        )

    def target(self, wanted: tuple[Wanted, ...] | None = None) -> GrafanaTarget:
        home = folders.uid(self.owner, "Administration")
        return GrafanaTarget(self.client, self.owner, self.wanted() if wanted is None else wanted, home)

    def plan(self, wanted: tuple[Wanted, ...] | None = None, overwrite: bool = False, protect: str = "") -> Plan:
        def protects(kind: str, name: str) -> bool:
            return f"{kind} {name}" == protect

        return changes.make([self.target(wanted)], Choice(self.owner, protects, overwrite))

    def apply(self, wanted: tuple[Wanted, ...] | None = None, overwrite: bool = False) -> applying.Outcome:
        return self.carry_out(self.plan(wanted, overwrite))

    def carry_out(self, plan: Plan) -> applying.Outcome:
        return applying.carry_out(plan, lambda _change: None)

    def applied(self, wanted: tuple[Wanted, ...] | None = None) -> list[Change]:
        """Apply, which has to go well, and leave nothing to do."""
        outcome = self.apply(wanted)
        assert outcome.complete, (outcome.silent, outcome.findings)
        assert outcome.findings == []
        assert self.plan(wanted).todo == ()
        return outcome.done

    def adopt(self, key: Key, wanted: tuple[Wanted, ...] | None = None) -> str:
        return ownership.adopt([self.target(wanted)], key, self.owner).said

    def release(self, key: Key, wanted: tuple[Wanted, ...] | None = None) -> str:
        return ownership.release([self.target(wanted)], key, self.owner).said

    def state(self) -> State:
        return self.target().live()

    def live(self, key: Key) -> Live | None:
        return next((live for live in self.state().objects if live.key == key), None)

    # What people do in the browser.

    def made_by_hand(self, name: str, title: str, folder: str = "") -> Json:
        """A dashboard that somebody made."""
        body = {"dashboard": board(self.uid(name), title, "vector(1)"), "folderUid": folder, "overwrite": False}
        made: Json = self.client.post("/api/dashboards/db", body)
        return made

    def edited_by_hand(self, name: str, **values: Any) -> None:
        """Somebody saves a dashboard in the browser."""
        found = self.client.get(f"/api/dashboards/uid/{self.uid(name)}")
        body = {"dashboard": {**found["dashboard"], **values}, "folderUid": found["meta"]["folderUid"], "message": "by hand"}
        self.client.post("/api/dashboards/db", body)

    def removed_by_hand(self, name: str) -> None:
        self.client.delete(f"/api/dashboards/uid/{self.uid(name)}")

    def clear(self) -> None:
        """Remove everything whose name begins as ours do."""
        for hit in self.client.get("/api/search", type="dash-db", limit=1000):
            if hit["uid"].startswith(f"{self.owner}-"):
                self.client.delete(f"/api/dashboards/uid/{hit['uid']}")
        for folder in self.client.get("/api/folders", limit=1000):
            if folder["uid"].startswith(f"{self.owner}-"):
                self.client.delete(f"/api/folders/{folder['uid']}")
        for source in self.client.get("/api/datasources"):
            if source["uid"].startswith(f"{self.owner}-"):
                self.client.delete(f"/api/datasources/uid/{source['uid']}")
        for annotation in self.client.get("/api/annotations", tags=self.owner):
            self.client.delete(f"/api/annotations/{annotation['id']}")


def verdicts(plan: Plan) -> dict[str, Verdict]:
    """By the name of the object."""
    return {str(change.key): change.verdict for change in plan.changes}
