"""A server whose objects are files of a folder that it reads: what Prometheus and Alertmanager have in common.

All changes are staged, and come into force together in `finish`: in place, loaded, and held against what the server then works
with. When it refuses them, or works with anything else, every file goes back to the byte.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from contract.served import ServedFolder
from provisioning.findings import Finding, InputError, error
from provisioning.plan.objects import IN_FORCE, Document, Key, Live, State, Wanted, digest
from provisioning.plan.target import Refused, Target
from provisioning.targets.folder import Folder, revision
from provisioning.targets.ledger import Ledger
from provisioning.targets.mark import Comment
from provisioning.targets.server import Server

_MOST_SENTENCES = 10


class FiledTarget(Target):
    """`setting` is the key of the served folder in the configuration, `wanted` everything that is a file."""

    def __init__(self, setting: str, served: ServedFolder, owner: str, server: Server, wanted: tuple[Wanted, ...]) -> None:
        if served.folder is None:
            raise InputError(f"error: {setting}.folder: name the folder that {server.called} reads")
        self.name, self.owner, self.server = server.called.lower(), owner, server
        self.folder = Folder(Path(served.folder), owner, f"{setting}.folder")
        self._in_force = Key(IN_FORCE, self.name)
        title = f"{server.called} works with what its files say"
        self._wanted = (*wanted, Wanted(self._in_force, title, {"differs": []}))
        self._titles = {item.key: item.title for item in self._wanted}
        self._ledger: dict[str, str] = {}
        self._load = self._written = False

    # What a kind of server adds.

    as_a_whole = True
    """All changes are made in `finish`, or none."""
    read_by_itself: tuple[str, ...] = ()
    """Beginnings of the paths of files that the server looks at without a reload."""

    @abstractmethod
    def listed(self) -> list[tuple[Key, str]]:
        """Every file that the server may read, with the key of its object and its path in the folder."""

    @abstractmethod
    def path(self, key: Key) -> str:
        """Path of the file of an object, relative to the folder."""

    @abstractmethod
    def document(self, key: Key, body: bytes) -> Document:
        """The normalised form of a file's contents, whatever is in it."""

    @abstractmethod
    def differing(self, documents: Mapping[str, Document], gone: frozenset[str]) -> list[str]:
        """In which points the server works with anything else than these files, and without those that are gone."""

    @abstractmethod
    def comment(self, key: Key) -> Comment | None:
        """How a file of this kind is marked; None where only the ledger says whose it is."""

    def sound(self, wanted: Wanted) -> None:
        """Raises Refused for what the server would not take, as far as that can be told without it."""

    @abstractmethod
    def unverified(self, documents: Mapping[str, Document]) -> tuple[str, ...]:
        """What of these files cannot be seen to be in force, in sentences."""

    def reasons(self) -> str:
        """Why the server may have refused the files that are in place, in words; empty when nobody can say."""
        return ""

    # The two sides.

    def wanted(self) -> tuple[Wanted, ...]:
        return self._wanted

    def live(self) -> State:
        ledger = self.folder.ledger()
        objects: list[Live] = []
        digests: dict[Key, str] = {}
        ours: dict[str, Document] = {}
        for key, path in self.listed():
            body = self.folder.read(path)
            if body is None:
                continue  # gone since it was listed
            document = self.document(key, body)
            last = ledger.digest_of(path, digest(document))
            owner = self._owner(key, body, last)
            objects.append(Live(key, self._titles.get(key, key.name), document, owner, revision(body)))
            if last is not None:
                digests[key] = last
            if owner == self.owner and last in (None, digest(document)):
                ours[path] = document  # an edit is told as such, and need not be in force
        present = {live.key for live in objects}
        digests |= {
            item.key: ledger.applied[path]
            for item in self._wanted
            if item.key not in present and item.key != self._in_force and (path := self.path(item.key)) in ledger.applied
        }
        differs = self.differing(ours, self._gone(ledger))
        if ledger.interrupted:
            differs = ["an apply was interrupted before the server had taken what it wrote", *differs]
        state = Live(self._in_force, self._titles[self._in_force], {"differs": differs}, self.owner)
        digests[self._in_force] = digest(state.document)  # nobody edits it, so it never drifts
        works = tuple(f"{self.server.called} does not work with what its files say: {text}" for text in _shortened(differs))
        return State((*objects, state), digests, ledger.revision, (*works, *self.unverified(ours)))

    def _owner(self, key: Key, body: bytes, last: str | None) -> str:
        """Whose a file is. A copy of one of ours, with our mark in it, is whose who made it."""
        comment = self.comment(key)
        marked = comment.owner(body) if comment else ""
        if comment is None or marked == self.owner:
            ours = last is not None or (comment is not None and key in self._titles)
            return self.owner if ours else ""
        return marked

    def _gone(self, ledger: Ledger) -> frozenset[str]:
        return frozenset(path for path in ledger.names if self.folder.read(path) is None)

    # Changing.

    def begin(self, state: State) -> None:
        self.folder.begin(state.revision)
        self._ledger = {self.path(key): last for key, last in state.ledger.items() if key != self._in_force}
        self._load = self._written = False

    def write(self, wanted: Wanted, live: Live | None) -> Live:
        if wanted.key == self._in_force:
            self._load = True
            return Live(wanted.key, wanted.title, wanted.document, self.owner)
        body: bytes = wanted.payload
        self._written = True
        self.sound(wanted)
        self.folder.stage(self.path(wanted.key), body, live.revision if live else "")
        return Live(wanted.key, wanted.title, wanted.document, self.owner, revision(body))

    def remove(self, live: Live) -> None:
        path, self._written = self.path(live.key), True
        if self.folder.read(path) is not None:
            self.folder.stage(path, None, live.revision)

    def mark(self, live: Live, owner: str) -> Live:
        if live.key == self._in_force:
            raise Refused(f"{live.key} is not an object that can be adopted or released")
        comment, path = self.comment(live.key), self.path(live.key)
        if comment is None:
            return replace(live, owner=owner)
        new = comment.marked(self.folder.read(path) or b"", owner)
        self.folder.stage(path, new, live.revision)
        return replace(live, owner=owner, revision=revision(new))

    def remember(self, ledger: Mapping[Key, str]) -> None:
        self._ledger = {self.path(key): last for key, last in ledger.items() if key != self._in_force}

    def finish(self, said: str) -> list[Finding]:
        try:
            return self._brought_into_force(said)
        finally:
            self.folder.end()

    def abandon(self) -> None:
        """Nothing that was staged is written: it comes into force as a whole, or not at all. What was there is remembered."""
        if not self.folder.staged and not self.folder.ledger().interrupted:
            self.folder.remember({path: last for path, last in self._ledger.items() if self.folder.read(path) is not None})
        self.folder.end()

    def _brought_into_force(self, said: str) -> list[Finding]:
        before = self.folder.ledger()
        changed = any(not path.startswith(self.read_by_itself) for path in self.folder.staged)
        self.folder.switch(self._ledger)
        wrong: list[str] = []

        def as_planned() -> bool:
            if not self._written and not self._load:
                return True  # only marks have changed
            wrong[:] = self.differing(planned, self._gone(before))
            return not wrong

        planned = {path: self._planned(key, path) for key, path in self.listed() if path in self._ledger}
        problem = self.server.reload(as_planned, fresh=changed) if changed or self._load else ""
        if not problem:
            self.folder.settle(said)
            return []
        return [self._taken_back(problem, wrong or list(filter(None, [self.reasons()])))]

    def _planned(self, key: Key, path: str) -> Document:
        """What a file says that is in its place: what was planned, or what was left as it is."""
        return self.document(key, self.folder.read(path) or b"")

    def _taken_back(self, problem: str, reasons: list[str]) -> Finding:
        count = self.folder.go_back()
        again = self.server.reload()
        files = "1 file is as it was" if count == 1 else f"{count} files are as they were"
        called = self.server.called
        after = f"{called} could not be told so: {again}" if again else f"{called} works with what it had before"
        place = str(self.folder.root)
        return error(
            f"{self.name}: {place}",
            "; ".join([problem, *_shortened(reasons)]),
            f"{files}, and {after}",
            f"{self.name}/refused",
        )


def _shortened(sentences: list[str]) -> list[str]:
    more = len(sentences) - _MOST_SENTENCES
    return [*sentences[:_MOST_SENTENCES], *([f"and {more} more"] if more > 0 else [])]
