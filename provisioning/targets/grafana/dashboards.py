"""Dashboards. Ours carry the owner's name as a tag, which everybody sees."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from provisioning.plan.objects import Key, Live, Wanted
from provisioning.plan.target import Moved, Refused
from provisioning.targets.grafana.client import Absent, Client, Stale
from provisioning.targets.grafana.kind import Json, plain, still_there

KIND = "dashboard"
_COUNTERS = ("id", "version", "iteration", "gnetId")
"""What Grafana numbers by itself."""
_DEFAULTS: Mapping[str, Any] = {
    "editable": True,
    "fiscalYearStartMonth": 0,
    "graphTooltip": 0,
    "liveNow": False,
    "preload": False,
    "style": "dark",
}
"""What a dashboard is like that does not say it; Grafana may add these."""
_PAGE = 1000
_AT_ONCE = 4
"""Dashboards that are read at the same time."""


def wanted(board: Json, folder: str, owner: str, editable: bool) -> Wanted:
    """A built dashboard in the folder with this uid."""
    tagged = {**board, "editable": editable, "tags": [*board.get("tags", []), owner]}
    return Wanted(
        Key(KIND, board["uid"]), board["title"], document(tagged, folder, owner), {"dashboard": tagged, "folder": folder}
    )


def document(board: Json, folder: str, owner: str) -> Json:
    """A dashboard without the owner's tag and without what Grafana adds by itself, and the uid of its folder."""
    kept = {key: value for key, value in board.items() if key not in _COUNTERS and _DEFAULTS.get(key) != value}
    kept["tags"] = [tag for tag in board.get("tags") or [] if tag != owner]
    kept["panels"] = [_panel(panel) for panel in board.get("panels") or []]
    marks = [mark for mark in (board.get("annotations") or {}).get("list") or [] if not mark.get("builtIn")]
    kept["annotations"] = {"list": marks}
    found: Json = plain({**kept, "folder": folder})
    return found


def _panel(panel: Json) -> Json:
    """Without the version of its plugin, which is the server's own."""
    kept = {key: value for key, value in panel.items() if key != "pluginVersion" and (key, value) != ("transparent", False)}
    if "panels" in kept:
        kept["panels"] = [_panel(inside) for inside in kept["panels"] or []]
    return kept


class Dashboards:
    """All dashboards of the organisation but the one that `hidden` names, the ledger."""

    def __init__(self, client: Client, owner: str, hidden: str) -> None:
        self._client = client
        self._owner = owner
        self._hidden = hidden

    def live(self, known: Collection[str]) -> Iterator[Live]:
        """What was only just made or removed may be missing or left in a search, so the known ones are asked for by uid.

        Others are nobody's, whatever their tags: a copy that somebody saved has those of the original.
        """
        listed = {hit["uid"]: hit for hit in self._search() if hit["uid"] != self._hidden}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from filter(None, pool.map(self.read, sorted(known)))
        for uid in sorted(set(listed) - set(known)):
            hit = listed[uid]
            yield Live(Key(KIND, uid), hit["title"], {"title": hit["title"], "folder": hit.get("folderUid", "")}, raw=hit)

    def _search(self) -> Iterator[Json]:
        page = 1
        while True:
            found = self._client.get("/api/search", type="dash-db", limit=_PAGE, page=page)
            yield from found
            if len(found) < _PAGE:
                return
            page += 1

    def read(self, uid: str) -> Live | None:
        try:
            found = self._client.get(f"/api/dashboards/uid/{uid}")
        except Absent:
            return None
        board, meta = found["dashboard"], found["meta"]
        owner = self._owner if self._owner in (board.get("tags") or []) else ""
        held = document(board, meta.get("folderUid", ""), self._owner)
        return Live(Key(KIND, uid), board["title"], held, owner, str(board.get("version", "")), found)

    def write(self, wanted: Wanted, live: Live | None) -> Live:
        return self._sent(wanted.payload["dashboard"], wanted.payload["folder"], live, wanted.document)

    def _sent(self, board: Json, folder: str, live: Live | None, expected: Json | None) -> Live:
        uid = board["uid"]
        if live is not None:
            _refuse_provisioned(live)
        body = {
            "dashboard": {**board, "id": None, "version": live.raw["dashboard"]["version"] if live else 0},
            "folderUid": folder,
            "overwrite": False,
            "message": f"apply by {self._owner}",
        }
        try:
            self._client.post("/api/dashboards/db", body)
        except Absent as problem:
            raise Moved(f"dashboard {uid}: {problem}") from None
        except Stale as problem:
            found = self.read(uid)
            if found and found.document == expected and found.owner == self._owner:
                return found  # our own request, whose answer was lost
            raise Moved(f"dashboard {uid}: {problem}") from None
        written = self.read(uid)
        if written is None:
            raise Moved(f"dashboard {uid} was removed while it was written")
        return written

    def remove(self, live: Live) -> None:
        if still_there(live, self.read(live.key.name)):
            _refuse_provisioned(live)
            self._client.delete(f"/api/dashboards/uid/{live.key.name}")

    def mark(self, live: Live, owner: str) -> Live:
        board = live.raw["dashboard"]
        tags = [tag for tag in board.get("tags") or [] if tag != self._owner]
        board = {**board, "tags": [*tags, owner] if owner else tags}
        return self._sent(board, live.raw["meta"].get("folderUid", ""), live, None)


def _refuse_provisioned(live: Live) -> None:
    meta = live.raw["meta"]
    if meta.get("provisioned"):
        file = meta.get("provisionedExternalId") or "a file"
        remedy = "remove it there first: one dashboard has one source"
        raise Refused(f"{live.key} ({live.title}) comes from {file} on Grafana's machine and cannot be changed; {remedy}")
