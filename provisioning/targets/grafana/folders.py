"""Folders. Grafana keeps no mark on a folder, so the uid is the mark: it begins with the owner's name."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from provisioning.plan.objects import Key, Live, Wanted, digest
from provisioning.plan.target import Moved, Refused
from provisioning.targets.grafana.client import Absent, Client, Forbidden, Stale
from provisioning.targets.grafana.kind import Json, still_there

KIND = "folder"
MOST_LETTERS = 40
"""Of a uid in Grafana."""
_PAGE = 1000


def uid(owner: str, title: str) -> str:
    """The uid of our folder with this title, shortened where Grafana takes no longer one."""
    whole = f"{owner}-{title.lower().replace(' ', '-')}"
    return whole if len(whole) <= MOST_LETTERS else f"{whole[: MOST_LETTERS - 9]}-{digest(whole)[:8]}"


def wanted(owner: str, title: str) -> Wanted:
    return Wanted(Key(KIND, uid(owner, title)), title, {"title": title})


class Folders:
    """Folders at the top. Those are ours that we want or wrote: nobody else would choose their uids."""

    def __init__(self, client: Client, owner: str) -> None:
        self._client = client
        self._owner = owner

    def live(self, known: Collection[str]) -> Iterator[Live]:
        """A token that may not see all folders is told 403 of one that is not there: such a one is missing in the list, too."""
        listed = {folder["uid"]: folder["title"] for folder in self._listed()}
        for name in sorted(known):
            try:
                folder = self.read(name)
            except Forbidden:
                if name in listed:
                    raise
                continue
            if folder:
                yield folder
        for name in sorted(set(listed) - set(known)):
            yield Live(Key(KIND, name), listed[name], {"title": listed[name]})

    def _listed(self) -> Iterator[Json]:
        page = 1
        while True:
            found = self._client.get("/api/folders", limit=_PAGE, page=page)
            yield from found
            if len(found) < _PAGE:
                return
            page += 1

    def read(self, name: str) -> Live | None:
        try:
            return self._live(self._client.get(f"/api/folders/{name}"))
        except Absent:
            return None

    def _live(self, found: Json) -> Live:
        document: Json = {"title": found["title"]}
        if parent := found.get("parentUid"):
            document["parent"] = parent
        return Live(Key(KIND, found["uid"]), found["title"], document, self._owner, str(found.get("version", "")), found)

    def write(self, wanted: Wanted, live: Live | None) -> Live:
        path = f"/api/folders/{wanted.key.name}"
        try:
            if live is None:
                return self._live(self._client.post("/api/folders", {"uid": wanted.key.name, "title": wanted.title}))
            if "parent" in live.document:
                self._client.post(f"{path}/move", {"parentUid": ""})
            body = {"title": wanted.title, "version": live.raw["version"], "overwrite": False}
            return self._live(self._client.put(path, body))
        except (Stale, Absent) as problem:
            found = self.read(wanted.key.name)
            if found and found.document == wanted.document:  # our own request, whose answer was lost
                return found
            raise Moved(f"{wanted.key}: {problem}") from None

    def remove(self, live: Live) -> None:
        """Take an empty folder away: Grafana would remove all that is in it, whoever made it."""
        path = f"/api/folders/{live.key.name}"
        if not still_there(live, self.read(live.key.name)):
            return
        if inside := {what: count for what, count in self._client.get(f"{path}/counts").items() if count}:
            held = ", ".join(f"{count} {what}" for what, count in sorted(inside.items()))
            raise Refused(f"{live.key} ({live.title}) is not empty ({held}); move or remove what is in it, then apply again")
        self._client.delete(path)

    def mark(self, live: Live, owner: str) -> Live:  # noqa: ARG002
        return live
