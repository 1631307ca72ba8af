"""Who may import whom among the rooms of the exporter: readers of Langfuse and of the platform know nothing of each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

EXPORTERS = Path(__file__).resolve().parents[2] / "exporters"
BELOW = {
    "database": set(),
    "rollups": {"database"},
    "business": {"database", "rollups"},
    "langfuse": {"database", "rollups"},
    "outlook": {"database", "rollups", "business"},
    "history": {"database", "rollups", "business", "langfuse"},
}
"""Each room, and those that it stands on. `history` writes down what both of the others would have shown."""


def test_every_room_is_known() -> None:
    assert {path.parent.name for path in EXPORTERS.glob("*/__init__.py")} == set(BELOW)


@pytest.mark.parametrize("room", BELOW)
def test_imports_point_down(room: str) -> None:
    barred = set(BELOW) - BELOW[room] - {room}
    wrong = [
        f"{path.relative_to(EXPORTERS)}:{node.lineno} imports {name}"
        for path in sorted((EXPORTERS / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
        if name.split(".")[0] == "exporters" and len(name.split(".")) > 1 and name.split(".")[1] in barred
    ]
    assert not wrong, "\n".join(wrong)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
