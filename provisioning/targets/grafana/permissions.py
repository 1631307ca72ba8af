"""Who may do what in our folders: Grafana's roles, and its teams by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from contract.grafana import FolderAccess
from provisioning.plan.objects import Key, Live, Wanted
from provisioning.plan.target import Moved, Refused
from provisioning.targets.grafana import folders
from provisioning.targets.grafana.client import Absent, Client
from provisioning.targets.grafana.kind import Json

KIND = "permissions"
_NUMBERS = {"view": 1, "edit": 2, "admin": 4}
_WORDS = {number: word for word, number in _NUMBERS.items()}
_OF_A_NEW_FOLDER = [{"role": "Editor", "permission": "edit"}, {"role": "Viewer", "permission": "view"}]
"""What Grafana gives to roles when a folder is made."""
_PAGE = 1000


def wanted(owner: str, title: str, access: FolderAccess) -> Wanted:
    """The permissions of our folder with this title."""
    roles = {role: right for role, right in (("Viewer", access.viewers), ("Editor", access.editors)) if right != "none"}
    return Wanted(Key(KIND, folders.uid(owner, title)), title, _document({"role": roles, "team": access.teams}))


def _document(rights: Mapping[str, Mapping[str, str]]) -> Json:
    """Rights by name, by whom they are given to: `role`, `team` or `user`."""
    items = [
        {whom: name, "permission": right} for whom, named in sorted(rights.items()) for name, right in sorted(named.items())
    ]
    return {"permissions": items}


class Permissions:
    """Permissions of the folders that we want, or wrote."""

    def __init__(self, client: Client, owner: str, wanted: Collection[Wanted]) -> None:
        self._client = client
        self._owner = owner
        self._wanted = {each.key.name: each.document for each in wanted}

    def live(self, known: Collection[str]) -> Iterator[Live]:
        """Those that Grafana gives every new folder are none: an apply that was interrupted there goes on there."""
        for name in sorted(known):
            found = self.read(name)
            if found and (found.document == self._wanted.get(name) or not _is_new(found.document)):
                yield found

    def read(self, name: str) -> Live | None:
        try:
            items = self._client.get(f"/api/folders/{name}/permissions")
        except Absent:
            return None
        rights: dict[str, dict[str, str]] = {"role": {}, "team": {}, "user": {}}
        for item in items:
            whom = "role" if item.get("role") else "team" if item.get("team") else "user"
            called = item.get(whom) or item.get("userLogin") or str(item.get("userId"))
            if not item.get("inherited"):
                rights[whom][called] = _WORDS.get(item["permission"], str(item["permission"]))
        title = items[0].get("title", name) if items else name
        return Live(Key(KIND, name), title, _document(rights), self._owner, raw=items)

    def write(self, wanted: Wanted, live: Live | None) -> Live:
        """Grafana has no version of permissions: they are read again just before."""
        name = wanted.key.name
        if live is not None:
            found = self.read(name)
            if found is None or found.document not in (live.document, wanted.document):
                raise Moved(f"{wanted.key} were changed since they were read")
        rights = wanted.document["permissions"]
        ids = self.team_ids() if any("team" in right for right in rights) else {}
        if unknown := sorted({right["team"] for right in rights if "team" in right} - set(ids)):
            raise Refused(f"{wanted.key}: Grafana has no team {', '.join(unknown)}; make it there, or correct grafana.folders")
        items = [
            {
                **({"teamId": ids[right["team"]]} if "team" in right else {"role": right["role"]}),
                "permission": _NUMBERS[right["permission"]],
            }
            for right in rights
        ]
        try:
            self._client.post(f"/api/folders/{name}/permissions", {"items": items})
        except Absent:
            raise Moved(f"{wanted.key}: the folder is gone") from None
        written = self.read(name)
        if written is None:
            raise Moved(f"{wanted.key}: the folder is gone")
        return written

    def team_ids(self) -> dict[str, int]:
        """Numbers of Grafana's teams by name."""
        found: dict[str, int] = {}
        page = 1
        while True:
            answer = self._client.get("/api/teams/search", perpage=_PAGE, page=page)
            found |= {team["name"]: team["id"] for team in answer["teams"]}
            if len(found) >= answer["totalCount"] or not answer["teams"]:
                return found
            page += 1

    def remove(self, live: Live) -> None:
        """They go with their folder."""

    def mark(self, live: Live, owner: str) -> Live:  # noqa: ARG002
        return live


def _is_new(document: Json) -> bool:
    """Whether these are the permissions of a folder that was only just made; its maker may be among them."""
    others = [right for right in document["permissions"] if not ("user" in right and right["permission"] == "admin")]
    return others == _OF_A_NEW_FOLDER
