"""Jsonnet, evaluated so that whatever stands in it ends soon: bounded time and memory, no environment, imports from near."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioning.findings import ConfigError, Finding, error

_CHILD = Path(__file__).with_name("jsonnet_child.py")
_FRAME = re.compile(r"^\t(?!std\.jsonnet)(?P<file>[^\t]+?):\(?(?P<line>\d+):(?P<column>\d+)", re.M)
_STATIC = re.compile(
    r"^STATIC ERROR: (?P<file>.+?):\(?(?P<line>\d+):(?P<column>\d+)\)?(?:-\(?[\d:]+\)?)?: (?P<message>.*)", re.S
)
_REMEDIES = {
    "max stack frames exceeded": "something here needs itself, and never ends",
    "undefined external variable": "nothing is handed in from outside; what differs between environments stands in overlays",
    "Top-level function": "give a value at the top, such as { exporter: { max_age: '15m' } }",
    "couldn't manifest function": "a function has no place in the result; make the field hidden with `::`, or call it",
}


@dataclass(frozen=True)
class Bounds:
    """The most that an evaluation may take: seconds of computing, bytes of memory, bytes of the result."""

    seconds: int
    memory: int
    result: int


CONFIGURATION = Bounds(seconds=10, memory=1 << 30, result=1_000_000)
MIXIN = Bounds(seconds=120, memory=3 << 30, result=50_000_000)


@dataclass(frozen=True)
class Evaluation:
    """What a document is, and the real paths of all files that it imported."""

    value: Any
    read: tuple[Path, ...]


def evaluate(
    name: str, text: str, *, within: Sequence[Path], vendor: Sequence[Path] = (), bounds: Bounds = CONFIGURATION
) -> Evaluation:
    """Evaluate Jsonnet. `name` stands in messages, and imports start beside it; what `std.trace` says goes to stderr.

    Files are imported from the folders `within` and below only; `vendor` are folders in which imports are looked for, too.
    Raises ConfigError with the line of the mistake.
    """
    request = {
        "name": name,
        "text": text,
        "within": [str(folder.absolute()) for folder in within],
        "vendor": [str(folder) for folder in vendor],
        "seconds": bounds.seconds,
        "memory": bounds.memory,
        "bytes": bounds.result,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_CHILD)],
            input=json.dumps(request).encode(),
            capture_output=True,
            env={},
            timeout=bounds.seconds * 6,  # a busy machine gives little of its time
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError([_too_long(name, bounds)]) from None
    if done.returncode:
        raise ConfigError([_ended(name, done.returncode, bounds, done.stderr)])
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise ConfigError([_mistake(name, answer["error"])])
    sys.stderr.write(done.stderr.decode(errors="replace"))
    return Evaluation(answer["value"], tuple(map(Path, answer["read"])))


def _too_long(name: str, bounds: Bounds) -> Finding:
    return error(name, f"it is not evaluated within {bounds.seconds} s", "is there a loop that never ends?")


def _ended(name: str, code: int, bounds: Bounds, said: bytes) -> Finding:
    if code in (-24, -9):  # SIGXCPU, SIGKILL
        return _too_long(name, bounds)
    if b"MemoryError" in said or b"bad_alloc" in said or code in (-6, -11):  # SIGABRT, SIGSEGV
        return error(
            name, f"it needs more than {bounds.memory >> 20} MiB of memory", "is there a value that grows without end?"
        )
    last = said.decode(errors="replace").strip().splitlines()[-1:]
    return error(name, f"it cannot be evaluated: {' '.join(last) or f'ended with {code}'}")


def _mistake(name: str, said: str) -> Finding:
    """Jsonnet's own words with the first place in a file of the user."""
    remedy = next((text for sign, text in _REMEDIES.items() if sign in said), "")
    if static := _STATIC.match(said):
        place = f"{static['file']}:{static['line']}:{static['column']}"
        near = "look at the brackets, commas and quotes before this place" if "xpected" in static["message"] else ""
        return error(place, static["message"].strip(), remedy or near)
    message = said.partition("\n\t")[0].removeprefix("RUNTIME ERROR: ").strip()
    frame = _FRAME.search(said)
    return error(f"{frame['file']}:{frame['line']}:{frame['column']}" if frame else name, message, remedy)
