"""Evaluates one Jsonnet document in a process of its own, which `jsonnet` starts with little time, memory and no environment.

Reads a request from stdin and writes the answer to stdout, both JSON. It imports nothing of ours.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import _jsonnet

_MOST_FRAMES, _TRACE = 400, 30
_MOST_IMPORTED = 20_000_000
"""Bytes of one imported file."""


class _Imports:
    """Finds imported files beside the one that imports, then in `vendor`; only below the folders `within`."""

    def __init__(self, within: list[str], vendor: list[str]) -> None:
        self.within = [Path(folder).resolve() for folder in within]
        self.vendor = [Path(folder) for folder in vendor]
        self.read: list[str] = []

    def __call__(self, folder: str, name: str) -> tuple[str, bytes]:
        for place in (Path(folder) / name, *(vendor / name for vendor in self.vendor)):
            real = place.resolve()
            if not any(real.is_relative_to(root) for root in self.within):
                if real.exists() or place.is_absolute():
                    raise ValueError(
                        f"{place} lies outside of {' and '.join(map(str, self.within))}, where imports have to stay"
                    )
            elif real.is_file():
                if real.stat().st_size > _MOST_IMPORTED:
                    raise ValueError(f"{place} has more than {_MOST_IMPORTED} bytes")
                self.read.append(str(real))
                return str(place), real.read_bytes()
        raise ValueError("there is no such file")


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    imports = _Imports(request["within"], request["vendor"])
    try:
        text = _jsonnet.evaluate_snippet(
            request["name"], request["text"], max_stack=_MOST_FRAMES, max_trace=_TRACE, import_callback=imports
        )
    except (RuntimeError, UnicodeError) as problem:
        return {"error": str(problem)}
    if len(text) > request["bytes"]:
        return {"error": f"RUNTIME ERROR: the result has more than {request['bytes']} bytes"}
    return {"value": json.loads(text), "read": sorted(set(imports.read))}


def main() -> None:
    request = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (request["seconds"], request["seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_AS, (request["memory"], request["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(_answer(request), sys.stdout)


if __name__ == "__main__":
    main()
