"""A folder of manifests as the target of a plan: a tool such as Argo CD or Flux brings it from there into the cluster.

An object of ours carries the owner in the label `app.kubernetes.io/managed-by`, and in an annotation the digest of what was
written last; so what somebody edited by hand is told from what the configuration changes. Files of others stay as they are.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from contract.settings import Settings
from provisioning.findings import Finding, InputError
from provisioning.plan.objects import Key, Live, State, Wanted, digest
from provisioning.plan.target import Moved, Refused
from provisioning.targets.kubernetes import reading
from provisioning.targets.kubernetes.manifests import manifests
from provisioning.targets.kubernetes.objects import MANAGED_BY, Object, file_name, text
from provisioning.targets.kubernetes.reading import Held, applied, compared, key, state_of


class Folder:
    """`settings.targets.kubernetes.folder`; made when it is missing and its parent is there."""

    name = "kubernetes"
    as_a_whole = False
    kinds = tuple(reading.KINDS.values())

    def __init__(self, settings: Settings, folder: Path, built: Mapping[str, bytes]) -> None:
        self._settings, self._folder, self._built = settings, folder, built
        self._me, self._namespace = settings.plan.owner, settings.targets.kubernetes.namespace
        self._lock: int | None = None
        self._held: dict[Key, Held] = {}

    def wanted(self) -> tuple[Wanted, ...]:
        """Raises ConfigError when Kubernetes would refuse an object."""
        return tuple(
            Wanted(key(one, self._namespace), one["metadata"]["name"], compared(one, self._me), one)
            for one in manifests(self._settings, self._built)
        )

    def live(self) -> State:
        found, unread = self._read()
        objects: dict[Key, Live] = {}
        for held in found:
            one = reading.live(held, self._namespace, self._me)
            if one.key in objects:
                unread.append(
                    f"{one.key} stands in {objects[one.key].raw.path.name} and in {held.path.name}; the first is looked at"
                )
            objects.setdefault(one.key, one)
        self._held = {one.key: one.raw for one in objects.values()}
        ledger = {one.key: last for one in objects.values() if (last := self._last(one.raw.object))}
        files = {held.path.name: state_of(held.path) for held in found}
        return State(tuple(objects.values()), ledger, digest(files), tuple(unread))

    def begin(self, state: State) -> None:
        self._make_folder()
        self._lock = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.abandon()
            raise Moved(f"{self._folder}: another apply is at work; wait for its end and plan again") from None
        if self.live().revision != state.revision:
            self.abandon()
            raise Moved(f"{self._folder}: its files have changed since the plan; plan again")

    def write(self, wanted: Wanted, live: Live | None) -> Live:
        path = self._folder / file_name(wanted.payload) if live is None else self._unmoved(live).path
        if live is None and path.exists():
            raise Moved(f"{path}: there is such a file now; plan again")
        return self._put(path, wanted.payload, digest(wanted.document))

    def remove(self, live: Live) -> None:
        if state_of(live.raw.path):
            self._unmoved(live).path.unlink(missing_ok=True)
        self._held.pop(live.key, None)

    def mark(self, live: Live, owner: str) -> Live:
        held = self._unmoved(live)
        metadata = dict(held.object["metadata"])
        labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name != MANAGED_BY}
        metadata["labels"] = {**labels, **({MANAGED_BY: owner} if owner else {})}
        if not metadata["labels"]:
            del metadata["labels"]
        return self._put(held.path, {**held.object, "metadata": metadata}, self._last(held.object) if owner else "")

    def remember(self, ledger: Mapping[Key, str]) -> None:
        """Each object carries its own digest; a file is written only where the ledger says something else."""
        for one, held in list(self._held.items()):
            last = ledger.get(one, "")
            if held.alone and self._last(held.object) != last:
                self._put(held.path, held.object, last)

    def finish(self, said: str) -> list[Finding]:  # noqa: ARG002  a folder keeps no notes; its repository's log does
        self.abandon()
        return []

    def abandon(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _read(self) -> tuple[list[Held], list[str]]:
        if not self._folder.exists():
            return [], []
        if not self._folder.is_dir():
            raise InputError(f"error: targets.kubernetes.folder: {self._folder} is a file; name a folder")
        return reading.in_folder(self._folder)

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(exist_ok=True)
        except FileNotFoundError:
            raise InputError(f"error: targets.kubernetes.folder: there is no folder {self._folder.parent}; create it") from None

    def _unmoved(self, live: Live) -> Held:
        held: Held = live.raw
        if state_of(held.path) != live.revision:
            raise Moved(f"{held.path} has changed since the plan; plan again")
        if not held.alone:
            raise Refused(f"{held.path} holds other objects, too; give {live.key} a file of its own")
        return held

    def _last(self, document: Object) -> str:
        return str((document["metadata"].get("annotations") or {}).get(applied(self._me), ""))

    def _put(self, path: Path, document: Object, last: str) -> Live:
        """Writes the object with the digest `last` in it, at once or not at all."""
        metadata = {name: value for name, value in document["metadata"].items() if name != "annotations"}
        others = {k: v for k, v in (document["metadata"].get("annotations") or {}).items() if k != applied(self._me)}
        if annotations := {**others, **({applied(self._me): last} if last else {})}:
            metadata["annotations"] = annotations
        noted = {**document, "metadata": metadata}
        try:
            self._replace(path, text(noted))
        except OSError as problem:
            raise Refused(f"{path} cannot be written: {problem.strerror}") from None
        written = reading.live(Held(path, noted, True), self._namespace, self._me)
        self._held[written.key] = written.raw
        return written

    def _replace(self, path: Path, body: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
            Path(name).chmod(0o644)  # a repository's file; nothing in it is secret
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
