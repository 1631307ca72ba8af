"""The page of all panels is what the tabs say today."""

from __future__ import annotations

from pathlib import Path

from contract.settings import Settings
from dashboards.catalogue import TABS
from provisioning.panels_page import page

WRITTEN = Path(__file__).parents[2] / "docs" / "panels.md"


def test_the_page_is_current() -> None:
    assert WRITTEN.read_text() == page(Settings()), "the tabs have changed: run `make docs`"


def test_every_tab_and_every_cell_is_there() -> None:
    lines = page(Settings()).splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == [tab.title for tab in TABS]
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| panel")]
    assert rows and all(line.replace("\\|", "").count("|") == 6 for line in rows)
