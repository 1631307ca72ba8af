"""The ledger: a dashboard of ours that says what was applied, by whom and when, and keeps the digests for the next plan.

Grafana refuses to save a dashboard over another version than the one that was read. So the ledger is the lock, too: an apply
begins by writing its name into it, and whoever read it before that cannot.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from provisioning.findings import Unreachable
from provisioning.plan.objects import Key
from provisioning.plan.target import Moved
from provisioning.targets.grafana import folders
from provisioning.targets.grafana.client import Absent, Client, Forbidden, Stale
from provisioning.targets.grafana.kind import Json

TITLE = "What was applied"
LEASE = 120.0
"""Seconds after which an apply that has not written anything is taken for dead."""
_MOST_APPLIES = 20
_PEOPLE = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN")
"""Variables in which a CI names who started it."""


def uid(owner: str) -> str:
    return folders.uid(owner, "ledger")


@dataclass(frozen=True)
class Page:
    """What the ledger says. `applying` is who is at it; `silent` is for how many seconds nothing was written to it.

    `rewritten`: of objects that Grafana keeps in another form than they were sent, the digests of its form and of ours.
    """

    objects: Mapping[Key, str] = field(default_factory=dict)
    rewritten: Mapping[Key, tuple[str, str]] = field(default_factory=dict)
    applies: tuple[Mapping[str, str], ...] = ()
    applying: str = ""
    version: int = 0
    silent: float = 0.0
    legible: bool = True

    @property
    def busy(self) -> bool:
        return bool(self.applying) and self.silent < LEASE


class Ledger:
    """The ledger of one owner. `folder` is the uid of the folder that it lies in once that is there."""

    def __init__(self, client: Client, owner: str, folder: str) -> None:
        self._client = client
        self._owner = owner
        self._folder = folder
        self._page = Page()
        self._at = 0.0
        self._placed = False

    def read(self) -> Page:
        try:
            answer = self._client.ask("GET", f"/api/dashboards/uid/{uid(self._owner)}")
        except Absent:
            return Page()
        board, meta = self._parts(answer.body)
        silent = answer.at - datetime.fromisoformat(meta["updated"]).timestamp()
        version = int(board["version"])
        try:
            told = json.loads(
                next(panel["options"]["content"] for panel in _flat(board["panels"]) if panel["title"] == _DIGESTS)
            )
            objects = {_key(name): str(held) for name, held in told["objects"].items()}
            rewritten = {_key(name): (str(theirs), str(ours)) for name, (theirs, ours) in told["rewritten"].items()}
            return Page(objects, rewritten, tuple(told["applies"]), str(told["applying"]), version, silent)
        except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
            return Page(version=version, silent=silent, legible=False)

    def _parts(self, body: Any) -> tuple[Json, Json]:
        """The dashboard and what Grafana says of it. Raises Unreachable for what another program says to any question."""
        found = body if isinstance(body, dict) else {}
        board, meta = found.get("dashboard"), found.get("meta")
        if not isinstance(board, dict) or not isinstance(meta, dict):
            raise Unreachable(f"what answers at {self._client.url} is not Grafana: it knows no dashboards")
        return board, meta

    def begin(self, revision: str) -> None:
        """Nobody else applies from here on. Raises Moved when somebody does, or did since the plan."""
        page = self.read()
        if page.busy:
            raise Moved(
                f"{page.applying} is applying at this moment; wait until that is done, or, if it was killed, "
                f"{LEASE - page.silent:.0f} seconds"
            )
        if str(page.version) != revision:
            raise Moved("somebody applied, or edited the ledger, since the plan was made")
        self._save(replace(page, applying=f"{author()} ({secrets.token_hex(4)})"))

    def remember(self, objects: Mapping[Key, str]) -> None:
        kept = {key: forms for key, forms in self._page.rewritten.items() if key in objects}
        self._save(replace(self._page, objects=dict(objects), rewritten=kept))

    def note(self, key: Key, theirs: str, ours: str) -> None:
        """What became of an object that was written: the digests of Grafana's form and of ours. Kept with the next save."""
        others = {other: forms for other, forms in self._page.rewritten.items() if other != key}
        self._page = replace(self._page, rewritten=others if theirs == ours else {**others, key: (theirs, ours)})

    def finish(self, said: str) -> None:
        """The apply is over, and what it did is told."""
        now = datetime.fromtimestamp(self._at, UTC)
        entry = {"at": f"{now:%Y-%m-%d %H:%M} UTC", "by": author(), "what": said}
        self._save(replace(self._page, applying="", applies=(entry, *self._page.applies)[:_MOST_APPLIES]))

    def abandon(self) -> None:
        self._save(replace(self._page, applying=""))

    def _save(self, page: Page) -> None:
        body = {
            "dashboard": {**self._board(page), "version": page.version},
            "folderUid": self._folder if self._is_placed() else "",
            "overwrite": False,
            "message": f"apply by {self._owner}",
        }
        try:
            answer = self._client.ask("POST", "/api/dashboards/db", body)
            self._at, version = answer.at, int(answer.body["version"])
        except Stale:
            found = self.read()
            if replace(found, version=page.version, silent=page.silent) != page:
                raise Moved("another apply took the ledger over; this one stops") from None
            version = found.version  # our own request, whose answer was lost
        self._page = replace(page, version=version)

    def _is_placed(self) -> bool:
        """Whether its folder is there already: the first apply only makes it."""
        if not self._placed:
            try:
                self._client.get(f"/api/folders/{self._folder}")
            except (Absent, Forbidden):
                return False
            self._placed = True
        return True

    def _board(self, page: Page) -> Json:
        told = {
            "applying": page.applying,
            "applies": list(page.applies),
            "objects": {str(key): held for key, held in sorted(page.objects.items())},
            "rewritten": {str(key): list(forms) for key, forms in sorted(page.rewritten.items())},
        }
        digests = _text(2, _DIGESTS, "code", json.dumps(told, indent=1, ensure_ascii=False), 1)
        row: Json = {
            "type": "row",
            "id": 3,
            "title": "For the next plan",
            "collapsed": True,
            "gridPos": {"x": 0, "y": 12, "w": 24, "h": 1},
            "panels": [digests],
        }
        return {
            "uid": uid(self._owner),
            "title": TITLE,
            "description": "What was applied here, when and by whom. Every apply writes it; leave it as it is.",
            "tags": [self._owner],
            "editable": False,
            "schemaVersion": 42,
            "panels": [_text(1, "Applies", "markdown", _table(page), 0), row],
        }


_DIGESTS = "What Grafana returned after the last write of each object"


def _key(text: str) -> Key:
    kind, _, name = text.rpartition(" ")
    return Key(kind, name)


def _text(identity: int, title: str, mode: str, content: str, top: int) -> Json:
    return {
        "type": "text",
        "id": identity,
        "title": title,
        "gridPos": {"x": 0, "y": 12 * top + top, "w": 24, "h": 12},
        "options": {
            "mode": mode,
            "content": content,
            "code": {"language": "json", "showLineNumbers": False, "showMiniMap": False},
        },
    }


def _table(page: Page) -> str:
    """The applies for people, the newest first."""
    rows = [f"| {_cell(one['at'])} | {_cell(one['by'])} | {_cell(one['what'])} |" for one in page.applies]
    now = [f"{_cell(page.applying)} is applying at this moment.\n"] if page.applying else []
    return "\n".join([*now, "| When | By | What |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").replace("<", "‹").split())


def _flat(panels: list[Json]) -> list[Json]:
    return [inside for panel in panels for inside in (panel, *_flat(panel.get("panels") or []))]


def author() -> str:
    """Who applies: the person that a CI names, else the login on this machine."""
    named = next((value for variable in _PEOPLE if (value := os.environ.get(variable))), "")
    if named:
        return named
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        login = str(os.getuid())
    return f"{login}@{socket.gethostname()}"
