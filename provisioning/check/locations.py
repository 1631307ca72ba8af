"""Where in the sources a finding is mended: the file, and the line when there is one that says it.

A finding names what is wrong as people know it (a panel, an alert). Where that is written is looked up by its name, in the
module that makes it; when the name stands there more than once, or not at all, the module is named without a claim about lines.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from contract.settings import Settings
from provisioning.config import named_overlays
from provisioning.configuration import layers
from provisioning.findings import Finding

ROOT = Path(__file__).resolve().parents[2]
_IN_FILE = re.compile(r"^(?P<file>[^\s:]+\.(?:ya?ml|jsonnet|libsonnet|py)):(?:(?P<line>\d+):)?")
_PANEL = re.compile(r"^dashboard (?P<board>.+?)(?:, panel (?P<panel>.+?))?(?:, (?:query|link|variable|annotation) .*)?$")
_NAMED = re.compile(r"^(?P<kind>alert|recording rule|rule group|runbook|metric|receiver) (?P<name>[^,\s]+)")
_SCENARIO = re.compile(r"prometheus/tests/(?P<name>\w+)\.yml")
_SETTING = re.compile(r"^(?P<path>[a-z_]+(?:\[\d+\]|\.[a-z_]+)*)(?: \(|$)")
_FOLDERS = {
    "alert": ("alert_rules",), "runbook": ("alert_rules",), "recording rule": ("recording_rules",),
    "rule group": ("recording_rules", "alert_rules"), "metric": ("contract/exporter_metrics.py",), "receiver": ("alert_rules",),
}  # fmt: skip
_REGISTERS = {
    "promql": "recording_rules/registry.py", "rules": "recording_rules/registry.py", "alerts": "alert_rules/catalogue.py",
    "dashboards": "dashboards/catalogue.py", "links": "dashboards/catalogue.py", "runbooks": "alert_rules/runbooks.py",
    "routes": "alert_rules/routes.py", "exporter": "contract/exporter_metrics.py", "tools": "provisioning/build.py",
    "targets": "provisioning/build.py",
}  # fmt: skip
"""Where one begins to look for what has no place of its own, by the first word of the check."""


@dataclass(frozen=True)
class Location:
    """A file, relative to the checkout where it lies in it, and a line of it, from 1."""

    path: str
    line: int = 1


@dataclass(frozen=True)
class Locator:
    """Finds locations for findings under these settings, which were read from `config` (None: the defaults)."""

    settings: Settings
    config: Path | None = None
    _read: dict[Path, list[str]] = field(default_factory=dict)

    def of(self, finding: Finding) -> Location:
        """Where to mend it. A finding about something without a place leads to the list that it belongs to."""
        place = finding.place
        if found := _IN_FILE.match(place):
            return (
                Location(_relative(Path(found["file"])), int(found["line"] or 1)) if found["line"] else self._in_source(place)
            )
        if located := self._of_dashboard(place) or self._of_name(place):
            return located
        if self.config and (setting := _SETTING.match(place)) and finding.check.startswith(("settings/", "waivers/")):
            return self._of_setting(setting["path"], self.config)
        register = _REGISTERS.get(finding.check.partition("/")[0], "")
        return Location(register or _relative(self.config or Path("observatory.yaml")))

    def _in_source(self, place: str) -> Location:
        """`file.py: name` as some findings say it."""
        file, _, name = place.partition(": ")
        path = ROOT / file
        return self._literal(name.strip(), [path]) or Location(_relative(path))

    def _of_name(self, place: str) -> Location | None:
        """Where an alert, a rule or a metric is declared."""
        if named := _NAMED.match(place):
            return self._literal(named["name"], self._files(_FOLDERS[named["kind"]]))
        scenario = _SCENARIO.search(place)
        return self._literal(scenario["name"], self._files(("alert_rules",))) if scenario else None

    def _of_dashboard(self, place: str) -> Location | None:
        found = _PANEL.match(place)
        tab = next((module for title, module in self._tabs.items() if found and title == found["board"]), None)
        if tab is None or found is None:
            return None
        names = self._panels.get((found["board"], found["panel"]), ())
        written = [located for name in names if (located := self._literal(name, sorted(tab.parent.glob("*.py"))))]
        return written[0] if len(written) == 1 else Location(_relative(tab))

    @cached_property
    def _tabs(self) -> dict[str, Path]:
        """The module of every tab, by the tab's title."""
        from dashboards.catalogue import TABS

        return {tab.title: Path(inspect.getfile(inspect.unwrap(tab.rows))) for tab in TABS}

    @cached_property
    def _panels(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """The names that panels have in the sources, by the titles of tab and panel."""
        from dashboards.catalogue import TABS

        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for tab in TABS:
            for panel in tab.panels(self.settings):
                key = (tab.title, str(panel.title))
                found[key] = (*found.get(key, ()), panel.name)
        return found

    def _literal(self, name: str, files: Iterable[Path]) -> Location | None:
        """The only line that gives something this name, or else the only one that has the name as a text."""
        files = list(files)
        quoted = rf"[\"']{re.escape(name)}[\"']"
        for pattern in (rf"\bname={quoted}", quoted):
            hits = list(self._lines(re.compile(pattern), files))
            if len(hits) == 1:
                return hits[0]
        return None

    def _lines(self, pattern: re.Pattern[str], files: Iterable[Path]) -> Iterator[Location]:
        for file in files:
            if file not in self._read:
                self._read[file] = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
            for number, line in enumerate(self._read[file], start=1):
                if pattern.search(line):
                    yield Location(_relative(file), number)

    def _files(self, places: Iterable[str]) -> list[Path]:
        return [
            file
            for place in places
            for file in ([ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py")))
        ]

    def _of_setting(self, path: str, config: Path) -> Location:
        keys = tuple(int(word) if word.isdigit() else word for word in re.findall(r"\w+", path))
        place = layers.read(config, named_overlays()).place(keys)
        found = _IN_FILE.match(f"{place}:")
        return Location(_relative(Path(found["file"])), int(found["line"] or 1)) if found else Location(_relative(config))


def _relative(path: Path) -> str:
    whole = path if path.is_absolute() else Path.cwd() / path
    return whole.relative_to(ROOT).as_posix() if whole.is_relative_to(ROOT) else path.as_posix()
