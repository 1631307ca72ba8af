"""The panels of a tab as the preview shows them: figures after all transformations, with units and texts, and pictures.

The preview draws with Grafana's own packages, so a report says what the panel says.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.keys import dashboard_uid
from contract.settings import Settings
from provisioning import build, preview
from provisioning.findings import InputError, closest
from provisioning.interpolation import Span
from provisioning.report.model import PANEL, UNREAD, Column, Section, Table

SECONDS = 600
"""How long all panels of a tab may take together."""
_ENDING_SECONDS = 5.0
WIDTH = 1600
_CHROMIUM = "/usr/bin/chromium"
_NOTES = {"no data": "No data in this range.", "unsupported": "The preview cannot draw this kind of panel; Grafana shows it."}


@dataclass(frozen=True)
class Drawn:
    """A tab over one range. `problems` are what could not be read, beside what stands in the sections' notes."""

    title: str
    variables: Mapping[str, str]
    sections: tuple[Section, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Board:
    """A built dashboard, alone in a folder."""

    settings: Settings
    tab: str
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / f"{dashboard_uid(self.tab)}.json"

    def draw(self, span: Span, variables: Sequence[tuple[str, str]], panel: int | None, pictures: bool) -> Drawn:
        """Raises InputError, which says what the preview says."""
        arguments = ["--from", str(int(span.start * 1000)), "--to", str(int(span.end * 1000)), "--timezone", "UTC"]
        arguments += ["--theme", "light", "--width", str(WIDTH), "--webp", "--figures"]
        chromium = browser() if pictures else None
        arguments += ["--chromium", chromium] if chromium else ["--no-pictures"]
        arguments += [] if panel is None else ["--panel", str(panel)]
        arguments += [word for name, value in variables for word in ("--var", f"{name}={value}")]
        with tempfile.TemporaryDirectory(prefix="observatory-report-") as out:
            command, environment = preview.invocation(self.settings, self.folder, Path(out), arguments)
            run(command, environment)
            [told] = json.loads((Path(out) / "report.json").read_text()) or [{"fatal": "there is no such panel"}]
            if "fatal" in told:
                raise InputError(f"error: the tab could not be drawn: {told['fatal'].splitlines()[0]}")
            return _drawn(told, Path(out))


def board(settings: Settings, tab: str, variables: Sequence[tuple[str, str]], folder: Path) -> Board:
    """The tab's dashboard, built into `folder`. Raises InputError for a tab or a variable that does not exist."""
    from dashboards.catalogue import TABS

    known = {entry.key: entry for entry in TABS}
    if tab not in known:
        if tab.startswith("my_usage"):
            raise InputError(
                f"error: {tab} is read with a person's own login; a report of it would need that person's password"
            )
        raise InputError(f"error: there is no tab {tab!r}; {closest(tab, known)}")
    made = Board(settings, tab, folder)
    name = f"grafana/dashboards/{known[tab].folder}/{dashboard_uid(tab)}.json"
    body = build.artefacts(settings)[name]
    made.file.write_bytes(body)
    filters = {entry["name"] for entry in json.loads(body)["templating"]["list"] if entry["type"] != "datasource"}
    for variable, _value in variables:
        if variable not in filters:
            raise InputError(f"error: --var {variable}: the tab has no such filter; {closest(variable, filters)}")
    return made


def browser() -> str | None:
    """The Chromium that draws, where there is one."""
    names = filter(None, (os.environ.get("CHROMIUM"), _CHROMIUM, "chromium", "chromium-browser"))
    return next(filter(None, map(shutil.which, names)), None)


def run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """One run of the preview. What panels could not answer is in its report, not in its exit code."""
    if not os.access(preview.SCRIPT, os.X_OK):
        raise InputError(f"error: there is no preview: {preview.SCRIPT} is missing")
    with subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            _, said = process.communicate(timeout=SECONDS)
        except BaseException as problem:
            _end(process)
            if isinstance(problem, subprocess.TimeoutExpired):
                raise InputError(f"error: the preview took longer than {SECONDS} s; choose a shorter range") from None
            raise
    if process.returncode not in (0, 1):
        raise InputError(f"error: {(said.strip() or 'the preview ended without a word').splitlines()[-1]}")


def _end(process: subprocess.Popen[str]) -> None:
    """Asks it to end, so that it takes its browser along, and insists where it does not."""
    process.terminate()
    try:
        process.communicate(timeout=_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _drawn(told: Mapping[str, Any], folder: Path) -> Drawn:
    shown = {entry["name"]: entry for entry in told["variables"] if entry["type"] not in ("datasource", "constant")}
    problems = [f"filter {name}: {entry['error']}" for name, entry in shown.items() if entry.get("error")]
    problems += [f"marks: {entry['error']}" for entry in told["annotations"] if entry.get("error")]
    return Drawn(
        told["title"],
        {name: _chosen(entry["value"]) for name, entry in shown.items()},
        tuple(_section(panel, folder) for panel in told["panels"] if panel["type"] not in ("text", "dashlist")),
        tuple(problems),
    )


def _chosen(value: Any) -> str:
    texts = [str(part) for part in (value if isinstance(value, list) else [value])]
    return ", ".join("All" if text == "$__all" else text for text in texts)


def _section(panel: Mapping[str, Any], folder: Path) -> Section:
    tables = tuple(_table(figures) for figures in panel.get("figures", ()) if figures["columns"])
    note = _NOTES.get(panel["status"], "")
    if panel["status"].endswith("error"):
        said = str(panel.get("error") or "no reason given").splitlines()
        note = f"{UNREAD}{said[0]}"
    picture = (folder / panel["picture"]).read_bytes() if "picture" in panel else None
    return Section(f"{PANEL}{panel['id']}{panel.get('copy', '')}", panel["title"] or "Panel", tables, note, picture)


def _table(figures: Mapping[str, Any]) -> Table:
    columns = tuple(
        Column(one["name"], one["kind"], tuple(one["values"]), tuple(one["texts"]), one["unit"]) for one in figures["columns"]
    )
    return Table(columns, figures["form"], figures["name"])
