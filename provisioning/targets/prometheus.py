"""Prometheus as a target: its rule files and its scrape targets, and whether it evaluates what they say."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

import yaml

from contract.settings import Settings
from provisioning import tools
from provisioning.plan.objects import IN_FORCE, Document, Key, Wanted, unreadable
from provisioning.targets.filed import FiledTarget
from provisioning.targets.mark import YAML, Comment
from provisioning.targets.rule_groups import Loader, by_file, differing, parsed
from provisioning.targets.server import Server

RECORDING, ALERTS, TARGETS = "recording rules", "alert rules", "scrape targets"
_BUILT = "prometheus/"
_MOST_REASONS = 12


def target(settings: Settings, artefacts: Mapping[str, bytes]) -> PrometheusTarget:
    """The Prometheus of a site with what `build` wrote for it. Raises InputError where no folder is named."""
    return PrometheusTarget(settings, artefacts)


class PrometheusTarget(FiledTarget):
    """The folders `rules` and `targets`; prometheus.yml names them, and is the site's own.

    Alerts that Grafana evaluates are not wanted here, or people would be told twice.
    """

    kinds = (TARGETS, RECORDING, ALERTS, IN_FORCE)
    read_by_itself = ("targets/",)

    def __init__(self, settings: Settings, artefacts: Mapping[str, bytes]) -> None:
        served, owner = settings.targets.prometheus, settings.plan.owner
        wanted = tuple(item for item in _wanted(artefacts, owner) if not (settings.grafana.alerts and item.key.kind == ALERTS))
        self._kind_of = {item.key.name: item.key.kind for item in wanted if item.key.kind != TARGETS}
        server = Server(settings.sources.prometheus.url, "Prometheus", served)
        super().__init__("targets.prometheus", served, owner, server, wanted)

    def listed(self) -> list[tuple[Key, str]]:
        rules = [(self._rule_key(name), f"rules/{name}") for name in self.folder.names("rules", ".yml", ".yaml")]
        targets = self.folder.names("targets", ".json")
        return [*rules, *((Key(TARGETS, name.removesuffix(".json")), f"targets/{name}") for name in targets)]

    def _rule_key(self, file: str) -> Key:
        """A file that is wanted is of the kind that it is to be; any other is what is in it."""
        name = file.removesuffix(".yml")
        return Key(self._kind_of.get(name) or _kind(_rules(self.folder.read(f"rules/{file}") or b"")), name)

    def path(self, key: Key) -> str:
        if key.kind == TARGETS:
            return f"targets/{key.name}.json"
        return f"rules/{key.name if key.name.endswith('.yaml') else f'{key.name}.yml'}"

    def document(self, key: Key, body: bytes) -> Document:
        return _targets(body) if key.kind == TARGETS else _rules(body)

    def comment(self, key: Key) -> Comment | None:
        return None if key.kind == TARGETS else YAML

    def unverified(self, documents: Mapping[str, Document]) -> tuple[str, ...]:
        files = [path for path in documents if path.startswith("targets/")]
        if not files:
            return ()
        configuration = yaml.load(self.server.get("/api/v1/status/config", "data", "yaml"), Loader=Loader)  # noqa: S506
        patterns = [PurePosixPath(pattern).name for pattern in _discovered(configuration)]
        unread = [path for path in files if not any(fnmatch(PurePosixPath(path).name, pattern) for pattern in patterns)]
        return tuple(f"no file_sd_configs in prometheus.yml names {path}, so nothing in it is scraped" for path in unread)

    def differing(self, documents: Mapping[str, Document], gone: frozenset[str]) -> list[str]:
        planned = {path: document for path, document in documents.items() if path.startswith("rules/")}
        rules = self.server.get("/api/v1/rules", "data", "groups")
        loaded = {PurePosixPath(file): groups for file, groups in by_file(rules).items()}
        folders = {file.parent for file in loaded if f"rules/{file.name}" in planned}
        if planned and not folders:
            named = self.folder.root.absolute() / "rules" / "*.yml"
            return [f'Prometheus evaluates no file of the folder; prometheus.yml has to name them: rule_files: ["{named}"]']
        found = []
        for path, document in planned.items():
            candidates = [groups for file, groups in loaded.items() if file.name == PurePosixPath(path).name]
            found += _least(path, document, candidates)
        for path in sorted(gone):
            if any(folder / PurePosixPath(path).name in loaded for folder in folders):
                found.append(f"{path}: is evaluated, and there is no such file any more")
        return found

    def reasons(self) -> str:
        promtool = tools.find("promtool")
        if promtool is None:
            return ""
        names = self.folder.names("rules", ".yml", ".yaml")
        command = [str(promtool), "check", "rules", *(f"rules/{name}" for name in names)]
        try:
            done = subprocess.run(command, cwd=self.folder.root, capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
        said = [line for line in lines if line and not line.startswith(("Checking", "SUCCESS")) and line != "FAILED:"]
        return f"promtool says: {'; '.join(said[:_MOST_REASONS])}" if done.returncode and said else ""


def _least(path: str, document: Document, candidates: list[list[Mapping[str, Any]]]) -> list[str]:
    """Folders may have files of the same name: the groups of the one that differs least are those of ours."""
    return min((list(differing(path, document, groups)) for groups in candidates or [[]]), key=len)


def _discovered(node: Any) -> Iterator[str]:
    """Every file that a configuration discovers targets in."""
    if isinstance(node, dict):
        for one in node.get("file_sd_configs") or ():
            yield from one.get("files", ())
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _discovered(child)


def _wanted(artefacts: Mapping[str, bytes], owner: str) -> Iterator[Wanted]:
    for place, body in artefacts.items():
        folder, _, file = place.removeprefix(_BUILT).rpartition("/")
        if not place.startswith(_BUILT):
            continue
        name, ending = file.rsplit(".", 1)
        if folder == "targets":
            yield Wanted(Key(TARGETS, name), f"Scrape targets {name}", _targets(body), body)
        elif folder == "rules":
            document = _rules(body)
            key = Key(_kind(document), name if ending == "yml" else file)
            yield Wanted(key, f"Rules {name}", document, YAML.marked(body, owner))


def _kind(document: Document) -> str:
    rules = [rule for group in document.get("groups", ()) for rule in group["rules"]]
    return ALERTS if any("alert" in rule for rule in rules) else RECORDING


def _rules(body: bytes) -> Document:
    """What is no rule file is told apart by its contents, so that it can be seen to have changed."""
    try:
        return {"groups": parsed(body)}
    except ValueError as problem:
        return unreadable(body, f"this is no rule file: {problem}")


def _targets(body: bytes) -> Document:
    try:
        return {"targets": json.loads(body)}
    except ValueError as problem:
        return unreadable(body, f"this is no JSON: {problem}")
