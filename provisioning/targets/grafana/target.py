"""Grafana as a place that plans are made for: one organisation, as one service account sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from provisioning.findings import Finding, Unreachable, warning
from provisioning.plan.differences import differences
from provisioning.plan.objects import Key, Live, State, Wanted, digest
from provisioning.plan.target import Moved, Refused
from provisioning.targets.grafana import alert_groups, dashboards, data_sources, folders, permissions
from provisioning.targets.grafana.client import Absent, Client
from provisioning.targets.grafana.kind import Kind
from provisioning.targets.grafana.ledger import Ledger, Page, uid

KINDS = (folders.KIND, permissions.KIND, data_sources.KIND, dashboards.KIND, alert_groups.KIND)
_APPLY = "apply"
"""Tag of the annotations that say that something was applied, beside the owner."""


class GrafanaTarget:
    """What `wanted` asks for, and what one Grafana has. `kinds` are those that are looked after; others are not even read.

    `home` is the uid of the folder with the ledger and the alerts; `unverified` are sentences about what no plan can show.
    """

    name = "grafana"
    as_a_whole = False

    def __init__(
        self,
        client: Client,
        owner: str,
        wanted: Sequence[Wanted],
        home: str,
        kinds: Sequence[str] = KINDS,
        unverified: Sequence[str] = (),
    ) -> None:
        self.kinds = tuple(kinds)
        self._client = client
        self._owner = owner
        self._wanted = tuple(each for each in wanted if each.key.kind in self.kinds)
        self._unverified = tuple(unverified)
        self._home = home
        self._ledger = Ledger(client, owner, home)
        self._rewritten: dict[Key, str] = {}

    def wanted(self) -> tuple[Wanted, ...]:
        return self._wanted

    def live(self) -> State:
        try:
            return self._live()
        except Absent as problem:
            raise Unreachable(f"what answers at {self._client.url} is not Grafana: {problem}") from None

    def _live(self) -> State:
        page = self._ledger.read()
        said = [*self._unverified]
        if not page.legible:
            said.append(f"the ledger (dashboard {uid(self._owner)}) cannot be read, so nothing counts as applied before")
        if page.busy:
            said.append(f"{page.applying} is applying at this moment, so this may be old at once")
        found: list[Live] = []
        for name in self.kinds:
            known = {key.name for key in (*(each.key for each in self._wanted), *page.objects) if key.kind == name}
            found += self._kind(name).live(known)
        objects, ledger = self._as_sent(found, page)
        return State(tuple(objects), ledger, str(page.version), tuple(said))

    def _as_sent(self, found: Sequence[Live], page: Page) -> tuple[list[Live], dict[Key, str]]:
        """Objects and digests, where Grafana's form of what was sent counts as what was sent, as long as just that is wanted.

        Versions of Grafana differ in what they make of a document: without this, the same change would be planned for ever.
        """
        wants = {each.key: each for each in self._wanted}
        objects, ledger = {live.key: live for live in found}, dict(page.objects)
        for key, (theirs, ours) in page.rewritten.items():
            want, live = wants.get(key), objects.get(key)
            if ledger.get(key) not in (theirs, ours):
                continue
            still = want is not None and digest(want.document) == ours
            ledger[key] = ours if still else theirs
            if want and still and live and digest(live.document) == theirs:
                objects[key] = replace(live, document=want.document)
        return list(objects.values()), ledger

    def _kind(self, name: str) -> Kind:
        wanted = [each for each in self._wanted if each.key.kind == name]
        if name == folders.KIND:
            return folders.Folders(self._client, self._owner)
        if name == permissions.KIND:
            return permissions.Permissions(self._client, self._owner, wanted)
        if name == data_sources.KIND:
            return data_sources.DataSources(self._client, self._owner, wanted)
        if name == alert_groups.KIND:
            return alert_groups.AlertGroups(self._client, self._owner, self._home)
        return dashboards.Dashboards(self._client, self._owner, uid(self._owner))

    def begin(self, state: State) -> None:
        self._rewritten.clear()
        self._ledger.begin(state.revision)

    def write(self, wanted: Wanted, live: Live | None) -> Live:
        written = self._kind(wanted.key.kind).write(wanted, live)
        theirs, ours = digest(written.document), digest(wanted.document)
        self._ledger.note(wanted.key, theirs, ours)
        if theirs != ours:
            self._rewritten[wanted.key] = differences(wanted.key.kind, wanted.document, written.document)[0].place
        return written

    def remove(self, live: Live) -> None:
        self._kind(live.key.kind).remove(live)

    def mark(self, live: Live, owner: str) -> Live:
        return self._kind(live.key.kind).mark(live, owner)

    def remember(self, ledger: Mapping[Key, str]) -> None:
        self._ledger.remember(ledger)

    def finish(self, said: str) -> list[Finding]:
        """Tell the ledger and the graphs. A token that may not annotate is no reason to fail."""
        self._ledger.finish(said)
        found = []
        if self._rewritten:
            count, (key, place) = len(self._rewritten), min(self._rewritten.items())
            objects = "one object" if count == 1 else f"{count} objects"
            said_of = f"Grafana keeps {objects} in another form than sent, which counts as ours; such as {key}, in {place}"
            found.append(Finding("note", "grafana", said_of))
        try:
            self._client.post_once("/api/annotations", {"tags": [self._owner, _APPLY], "text": said})
        except (Refused, Unreachable) as problem:
            found.append(warning("grafana: annotation", f"this apply is not marked on the graphs: {problem}"))
        return found

    def abandon(self) -> None:
        """When even that fails, the lease of the ledger ends by itself."""
        try:
            self._ledger.abandon()
        except (Moved, Refused, Unreachable):
            return
