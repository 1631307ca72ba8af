"""docs/checks.md is what the list of checks says, and the list is of the checks that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioning.check.boards import BOARD_CHECKS
from provisioning.check.catalogue import CHECKS
from provisioning.check.lint.catalogue import EXPRESSION_CHECKS, RULE_CHECKS
from provisioning.check.page import page

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "checks.md").read_text(encoding="utf-8") == page(), "`make docs` writes it"


def test_every_check_that_is_made_is_described() -> None:
    made = {check.id for check in (*EXPRESSION_CHECKS, *RULE_CHECKS, *BOARD_CHECKS)}
    assert made <= CHECKS.keys()


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_every_check_that_is_described_is_made(name: str) -> None:
    sources = [path for path in (ROOT / "provisioning" / "check").rglob("*.py") if path.parent.name != "catalogue"]
    sources += (ROOT / "provisioning" / "mixin").glob("*.py")
    sources.append(ROOT / "provisioning" / "check" / "lint" / "catalogue.py")
    tool = name.removeprefix("tools/")
    named = re.compile(rf"[\"']{re.escape(name)}[\"']")
    assert any(named.search(path.read_text(encoding="utf-8")) for path in sources) or tool in ("promtool", "amtool")
