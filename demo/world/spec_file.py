"""The world's parameters in a file: what the stack chose, and the incidents and settings that people asked for since."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from demo.world.model import WorldSpec

_SPEC = TypeAdapter(WorldSpec)


class SpecError(Exception):
    """The file cannot be used; the text says where and why."""


def read(path: Path) -> WorldSpec:
    """The parameters in `path`. Raises SpecError, and FileNotFoundError when there is no such file."""
    try:
        return _SPEC.validate_json(path.read_bytes(), strict=False)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'the file'}: {p['msg']}" for p in error.errors())
        raise SpecError(f"{path} does not describe a world: {problems}") from None


def write(path: Path, spec: WorldSpec) -> None:
    """Replace the file as a whole, so that a reader never sees half of it."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(asdict(spec), indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def change(path: Path, made: Callable[[WorldSpec], WorldSpec]) -> None:
    """Replace the parameters by what is `made` of them, one change after the other. Raises as `read` does, and OSError."""
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        write(path, made(read(path)))
