"""Data sources, from the same definition that the files for Grafana are written from.

Grafana never gives back what is secret, so passwords are sent and not compared; whether one is set at all is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from exporters import credentials
from provisioning.plan.objects import Key, Live, Wanted
from provisioning.plan.target import Moved, Refused
from provisioning.targets.grafana.client import Absent, Client, Stale
from provisioning.targets.grafana.kind import Json, plain, still_there

KIND = "data source"
MARK = "managedBy"
"""Key in a data source's `jsonData` that names the owner; Grafana keeps keys that it does not know."""
_COMPARED = ("name", "type", "url", "user", "access", "database", "basicAuth", "basicAuthUser", "withCredentials")
_SECRET = re.compile(r"^\$__(file|env)\{(.+)\}$")


def wanted(definition: Json) -> Wanted:
    """A data source as Grafana's files for provisioning define it."""
    return Wanted(Key(KIND, definition["uid"]), definition["name"], _document(definition), definition)


def secrets(definition: Json) -> dict[str, str]:
    """Names of the secrets that can be sent, with where each one is: a file, or a variable of the environment that is set."""
    given = definition.get("secureJsonData", {})
    return {name: place for name, place in given.items() if place.startswith("$__file") or os.environ.get(_inside(place))}


def _inside(place: str) -> str:
    found = _SECRET.match(place)
    if not found:
        raise ValueError("a secret of a data source is named by $__file{…} or $__env{…}")
    return found[2]


def _revealed(name: str, place: str) -> str:
    if place.startswith("$__env"):
        return os.environ[_inside(place)]
    try:
        return credentials.secret_in(Path(_inside(place)))
    except credentials.CredentialError as problem:
        raise Refused(f"data source {name}: its password cannot be read: {problem}") from None


def _document(source: Json) -> Json:
    document = {key: source[key] for key in _COMPARED if source.get(key)}
    options = {key: value for key, value in source.get("jsonData", {}).items() if key != MARK and value is not False}
    return {**document, "options": plain(options)}


class DataSources:
    """All data sources of the organisation. `wanted` say which secrets each of ours should have."""

    def __init__(self, client: Client, owner: str, wanted: Collection[Wanted]) -> None:
        self._client = client
        self._owner = owner
        self._definitions: dict[str, Json] = {each.key.name: each.payload for each in wanted}

    def live(self, known: Collection[str]) -> Iterator[Live]:
        """Those that are not known are not ours, even with our mark: somebody may have copied one."""
        for listed in self._client.get("/api/datasources"):
            if listed["uid"] not in known:
                other = self._live(listed)
                yield replace(other, owner="") if other.owner == self._owner else other
            elif found := self.read(listed["uid"]):
                yield found

    def read(self, name: str) -> Live | None:
        try:
            return self._live(self._client.get(f"/api/datasources/uid/{name}"))
        except Absent:
            return None

    def _live(self, found: Json) -> Live:
        document = _document(found)
        given = secrets(self._definitions.get(found["uid"], {}))
        if missing := sorted(name for name in given if not found.get("secureJsonFields", {}).get(name)):
            document["without"] = missing
        owner = str(found.get("jsonData", {}).get(MARK, ""))
        return Live(Key(KIND, found["uid"]), found["name"], document, owner, str(found.get("version", "")), found)

    def write(self, wanted: Wanted, live: Live | None) -> Live:
        definition = wanted.payload
        body = {
            **{key: value for key, value in definition.items() if key not in ("editable", "orgId")},
            "jsonData": {**definition["jsonData"], MARK: self._owner},
            "secureJsonData": {key: _revealed(wanted.title, place) for key, place in secrets(definition).items()},
        }
        if live is None:
            others = self._client.get("/api/datasources")
            body["isDefault"] = bool(definition.get("isDefault")) and not any(other.get("isDefault") for other in others)
        else:
            body["isDefault"] = live.raw.get("isDefault", False)  # which one is the default is for people to choose
        return self._sent(live, body, wanted)

    def _sent(self, live: Live | None, body: Json, wanted: Wanted | None) -> Live:
        name = body["uid"]
        try:
            if live is None:
                return self._live(self._client.post("/api/datasources", body)["datasource"])
            _refuse_read_only(live)
            path = f"/api/datasources/uid/{name}"
            return self._live(self._client.put(path, {**body, "version": live.raw["version"]})["datasource"])
        except Absent:
            raise Moved(f"data source {name} is gone") from None
        except Stale as problem:
            found = self.read(name)
            if found and wanted and found.document == wanted.document and found.owner == self._owner:
                return found  # our own request, whose answer was lost
            if found is None:
                remedy = "rename it, or give its uid in the configuration and adopt it"
                raise Refused(f"data source {name}: another one is called {body['name']}; {remedy}") from None
            raise Moved(f"data source {name}: {problem}") from None

    def remove(self, live: Live) -> None:
        if still_there(live, self.read(live.key.name)):
            _refuse_read_only(live)
            self._client.delete(f"/api/datasources/uid/{live.key.name}")

    def mark(self, live: Live, owner: str) -> Live:
        """The rest is sent back as it came; secrets that are not sent stay as they are."""
        options = {key: value for key, value in live.raw.get("jsonData", {}).items() if key != MARK}
        body = {key: value for key, value in live.raw.items() if key not in ("secureJsonFields", "readOnly", "accessControl")}
        return self._sent(live, {**body, "jsonData": {**options, **({MARK: owner} if owner else {})}}, None)


def _refuse_read_only(live: Live) -> None:
    if live.raw.get("readOnly"):
        remedy = "remove the file there, or set grafana.data_sources: false"
        raise Refused(f"{live.key} ({live.title}) comes from a file on Grafana's machine and cannot be changed; {remedy}")
