"""A report put together: the range and the one before it, what changed, how things stand, and every panel."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from contract.keys import panel_id
from contract.settings import Settings
from provisioning.findings import InputError, closest
from provisioning.interpolation import Span
from provisioning.report import changes, drawn, standing
from provisioning.report.model import Report, Section

_BLIND = "There are no pictures: no Chromium is on this machine. scripts/browser.sh installs it, or CHROMIUM names one."


def make(settings: Settings, tab: str, span: Span, variables: Sequence[tuple[str, str]], panel: str, pictures: bool) -> Report:
    """The tab, or one panel of it by name, over a range. Raises InputError, Unreachable."""
    before = Span(2 * span.start - span.end, span.start, span.step)
    with tempfile.TemporaryDirectory(prefix="observatory-report-") as folder:
        board, number = _chosen(settings, tab, variables, panel, Path(folder))
        now = board.draw(span, variables, number, pictures)
        then = board.draw(before, variables, number, pictures=False)
    changed = changes.compared(now.sections, then.sections)
    first = Section(changes.CHANGES, "What changed against the period before", (changed,) if changed.rows else ())
    if not changed.rows:
        first = Section(changes.CHANGES, first.title, note="No figure is there in both periods.")
    around = () if panel else (first, *standing.sections(settings, span))
    blind = pictures and drawn.browser() is None
    remarks = [*now.problems, *([_BLIND] if blind else []), *_of_login(settings)]
    return Report(tab, now.title, span, before, now.variables, tuple(remarks), (*around, *now.sections))


def refuse(settings: Settings, tab: str, variables: Sequence[tuple[str, str]], panel: str) -> None:
    """Raises InputError for what no report can be made of, whenever it is made."""
    with tempfile.TemporaryDirectory(prefix="observatory-report-") as folder:
        _chosen(settings, tab, variables, panel, Path(folder))


def _chosen(
    settings: Settings, tab: str, variables: Sequence[tuple[str, str]], panel: str, folder: Path
) -> tuple[drawn.Board, int | None]:
    """The tab's dashboard, built into `folder`, and the panel's number in it; None for all of them."""
    return drawn.board(settings, tab, variables, folder), _number(settings, tab, panel) if panel else None


def _number(settings: Settings, tab: str, name: str) -> int:
    from dashboards.catalogue import TABS

    [found] = [entry for entry in TABS if entry.key == tab]
    names = {panel.name for panel in found.panels(settings)}
    if name not in names:
        raise InputError(f"error: --panel {name}: the tab {tab} has no such panel; {closest(name, names)}")
    return panel_id(f"{tab}/{name}")


def _of_login(settings: Settings) -> list[str]:
    """A report holds what its login may see."""
    if settings.sources.postgres.password_file:
        return []
    return ["PostgreSQL was read with this machine's login, not with Grafana's: sources.postgres.password_file is not set."]
