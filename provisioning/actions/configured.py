"""Actions on what stands in the configuration: they change `observatory.yaml`, so that there is no second truth.

The text is changed by as few lines as possible, and read whole before it is written: when the new file would not be right, or
would say anything else than what was asked for, nothing is written.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from alert_rules.catalogue import checked
from alert_rules.validation import AlertError
from contract.settings import Settings
from provisioning import config
from provisioning.actions import audit, edit
from provisioning.actions.action import Change
from provisioning.actions.audit import Connection
from provisioning.configuration import layers
from provisioning.findings import ConfigError, InputError

Item = dict[str, Any]


@dataclass(frozen=True)
class Listed:
    """A list of the configuration whose entries are told apart by one key."""

    section: str
    key: str
    noun: str
    verb: str = "set"

    def standing(self, settings: Settings) -> list[Item]:
        return [plain(item) for item in getattr(settings, self.section)]


SLO = Listed("slo", "name", "slo")
BUDGETS = Listed("budgets", "scope", "budget")
ALERTS = Listed("alerts", "name", "alert", "create")


def plain(item: BaseModel) -> Item:
    """What an entry says, in the order of its fields, as YAML writes it: without what is empty or off."""
    said = item.model_dump(mode="json")
    return {name: _number(value) for name, value in said.items() if value is not None and value is not False and value != []}


def _number(value: Any) -> Any:
    """Decimals come as texts."""
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return int(number) if isinstance(number, float) and number.is_integer() else number


@dataclass(frozen=True)
class Entry:
    """Sets an entry of a list to `item`, or takes out the one called `name` where `item` is None."""

    path: Path | None
    listed: Listed
    name: str
    item: Item | None
    reads_database: ClassVar[bool] = False

    def planned(self, connection: Connection | None) -> Change:
        settings = self._settings()
        before = next((one for one in self.listed.standing(settings) if one[self.listed.key] == self.name), None)
        if before is None and self.item is None and not self._recorded(connection):
            known = ", ".join(str(one[self.listed.key]) for one in self.listed.standing(settings))
            raise InputError(f"error: there is no {self.listed.noun} {self.name}; there are: {known or 'none'}")
        after = self._text(settings)[1] if self.item is not None else None
        noun = self.listed.noun
        back = f"observatory {noun} remove {self.name}" if before is None else _command(self.listed, self.name, before)
        here = f" --config {shlex.quote(str(self.path))}" if self.path else ""
        verb = self.listed.verb if self.item is not None else "remove"
        return Change(
            f"{noun} {verb}", f"{noun} {self.name}", before, after, f"{back}{here}",
            (f"  in {self._file}; then: observatory build{here} && observatory apply{here}",),
        )  # fmt: skip

    def carry_out(self, connection: Connection, change: Change) -> Callable[[], None]:  # noqa: ARG002
        file = self._file
        audit.alone(connection, f"file {file.resolve()}")  # another entry of the same file may be changed meanwhile
        old = _held(file)
        text, _ = self._text(self._settings())
        ends = "\r\n" if old and b"\r\n" in old else "\n"
        new = text.replace("\n", ends).encode()
        _replace(file, new)

        def undo() -> None:
            if _held(file) != new:  # somebody has changed it since
                return
            if old is None:
                file.unlink(missing_ok=True)
            else:
                _replace(file, old)

        return undo

    def _recorded(self, connection: Connection | None) -> bool:
        """Whether it stands by the record: it was taken out, and the command was killed before it said so."""
        return connection is not None and audit.last(connection, f"{self.listed.noun} {self.name}") is not None

    @property
    def _file(self) -> Path:
        path = self.path or layers.default_file() or Path(layers.FILE_NAMES[0])
        if path.suffix not in (".yaml", ".yml"):
            raise InputError(f"error: {path} is a program, which a command cannot change; write it there, or name a YAML file")
        if not path.absolute().parent.is_dir():
            raise InputError(f"error: {path}: there is no such folder")
        return path

    def _settings(self) -> Settings:
        return config.load(self._file, config.named_overlays()) if self._file.exists() else Settings()

    def _text(self, settings: Settings) -> tuple[str, Item | None]:
        """The new text, and the entry as it is then. Raises InputError when it would not be right."""
        file, listed = self._file, self.listed
        old, standing = file.read_text(encoding="utf-8") if file.exists() else "", listed.standing(settings)
        try:
            if self.item is None:
                text = edit.without_item(old, listed.section, listed.key, self.name, standing)
            else:
                text = edit.with_item(old, listed.section, listed.key, self.item, standing)
        except edit.Unfit as problem:
            raise InputError(f"error: {file}: {problem}; change it by hand") from None
        new = _read(file, text)
        try:
            checked(new)
        except AlertError as problem:
            raise InputError("\n".join(f"error: {finding}" for finding in problem.findings)) from None
        after = {one[listed.key]: one for one in listed.standing(new)}
        kept = {one[listed.key]: one for one in standing if one[listed.key] != self.name}
        others = {name: one for name, one in after.items() if name != self.name}
        same = others == kept and _beside(new, listed) == _beside(settings, listed)
        if not same or (self.name in after) != (self.item is not None):
            raise InputError(
                f"error: {file}: this would not have its effect, and no other; does an overlay say {listed.section}?"
            )
        return text, after.get(self.name)


def _beside(settings: Settings, listed: Listed) -> Item:
    return settings.model_dump(exclude={listed.section})


def _read(file: Path, text: str) -> Settings:
    """The settings that a text would mean in the place of `file`. Raises InputError with every mistake and its new line."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".yaml", dir=file.absolute().parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        return config.load(Path(name), config.named_overlays())
    except ConfigError as problem:
        raise InputError(str(problem).replace(name, str(file))) from None
    finally:
        Path(name).unlink(missing_ok=True)


def _held(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _replace(path: Path, body: bytes) -> None:
    file = path.resolve()  # what a link points to changes, not the link
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".new", dir=file.absolute().parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(body)
        Path(name).chmod(file.stat().st_mode & 0o777 if file.exists() else 0o644)
        Path(name).replace(file)
    except OSError as problem:
        Path(name).unlink(missing_ok=True)
        raise InputError(f"error: {file} cannot be written: {problem.strerror}") from None


def _command(listed: Listed, name: str, item: Item) -> str:
    """The command that sets an entry to what it was."""
    words = ["observatory", listed.noun, listed.verb, name]
    for key, value in item.items():
        if key == listed.key:
            continue
        option = f"--{key.replace('_', '-')}"
        values: Iterable[Any] = value if isinstance(value, list) else [value]
        words += [option] if value is True else [word for one in values for word in (option, str(one))]
    return shlex.join(words)
