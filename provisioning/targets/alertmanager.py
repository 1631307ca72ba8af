"""Alertmanager as a target: its routes with all that belongs to them, its message templates, and whether it works with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from contract.settings import Settings
from provisioning.findings import has_errors
from provisioning.plan.objects import IN_FORCE, Document, Key, Wanted, unreadable, why_unreadable
from provisioning.plan.target import Refused
from provisioning.targets.filed import FiledTarget
from provisioning.targets.mark import TEMPLATE, YAML, Comment
from provisioning.targets.routing import differing, parsed
from provisioning.targets.server import Server

CONFIGURATION, TEMPLATES = "alertmanager configuration", "message templates"
FILE = "alertmanager.yml"
_BUILT, _RULES = "alertmanager/", "prometheus/rules/"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def target(settings: Settings, artefacts: Mapping[str, bytes]) -> AlertmanagerTarget:
    """The Alertmanager of a site with what `build` wrote for it. Raises InputError where no folder is named."""
    return AlertmanagerTarget(settings, artefacts)


class AlertmanagerTarget(FiledTarget):
    """alertmanager.yml is one object, since its parts only make sense together; each template is one."""

    kinds = (TEMPLATES, CONFIGURATION, IN_FORCE)

    def __init__(self, settings: Settings, artefacts: Mapping[str, bytes]) -> None:
        served, owner = settings.targets.alertmanager, settings.plan.owner
        server = Server(settings.sources.alertmanager.url, "Alertmanager", served)
        super().__init__("targets.alertmanager", served, owner, server, tuple(_wanted(artefacts, owner)))
        self._artefacts = artefacts

    def listed(self) -> list[tuple[Key, str]]:
        own = [(Key(CONFIGURATION, name), name) for name in self.folder.names(".", FILE) if name == FILE]
        templates = self.folder.names("templates", ".tmpl")
        return [*own, *((Key(TEMPLATES, name.removesuffix(".tmpl")), f"templates/{name}") for name in templates)]

    def path(self, key: Key) -> str:
        return FILE if key.kind == CONFIGURATION else f"templates/{key.name}.tmpl"

    def document(self, key: Key, body: bytes) -> Document:
        return _configuration(body) if key.kind == CONFIGURATION else _template(body)

    def comment(self, key: Key) -> Comment | None:
        return YAML if key.kind == CONFIGURATION else TEMPLATE

    def unverified(self, documents: Mapping[str, Document]) -> tuple[str, ...]:
        if not documents:
            return ()
        return ("Alertmanager does not say which message templates it works with, nor whether secrets in files are right",)

    def sound(self, wanted: Wanted) -> None:
        from provisioning.check.routes import route_findings

        if wanted.key.kind != CONFIGURATION:
            return
        own = _BUILT + FILE
        templates = {
            path.removeprefix(_BUILT): body.decode()
            for path, body in self._artefacts.items()
            if path.startswith(_BUILT) and path != own
        }
        groups = [group for path, body in self._artefacts.items() if path.startswith(_RULES) for group in _read(body)["groups"]]
        found = list(route_findings(_read(self._artefacts[own]), templates, groups))
        if has_errors(found):
            raise Refused("\n".join(str(finding) for finding in found))

    def groups(self) -> list[dict[str, Any]]:
        """The groups of rules that were built with the routes: the alerts that go through them."""
        return [group for path, body in self._artefacts.items() if path.startswith(_RULES) for group in _read(body)["groups"]]

    def differing(self, documents: Mapping[str, Document], gone: frozenset[str]) -> list[str]:
        original = self.server.get("/api/v2/status", "config", "original")
        if FILE in gone:
            return [f"{FILE} is not there any more, and Alertmanager works with what it had"]
        planned = documents.get(FILE)
        if planned is None or why_unreadable(planned):
            return []
        try:
            return [f"{FILE}: {text}" for text in differing(planned, parsed(original))]
        except ValueError as problem:
            return [f"{FILE}: of what Alertmanager works with, {problem}"]


def _wanted(artefacts: Mapping[str, bytes], owner: str) -> Iterator[Wanted]:
    for path, body in artefacts.items():
        if path == _BUILT + FILE:
            yield Wanted(Key(CONFIGURATION, FILE), "Routes and receivers", _configuration(body), YAML.marked(body, owner))
        elif path.startswith(f"{_BUILT}templates/"):
            name = path.rpartition("/")[2].removesuffix(".tmpl")
            yield Wanted(Key(TEMPLATES, name), f"Messages {name}", _template(body), TEMPLATE.marked(body, owner))


def _read(body: bytes) -> dict[str, Any]:
    """YAML that `build` wrote."""
    document: dict[str, Any] = yaml.load(body, Loader=_Loader)  # noqa: S506  the safe one, in C where it is there
    return document


def _configuration(body: bytes) -> Document:
    """What is no configuration is told apart by its contents, so that it can be seen to have changed."""
    try:
        return parsed(body)
    except ValueError as problem:
        return unreadable(body, str(problem))


def _template(body: bytes) -> Document:
    if TEMPLATE.owner(body):
        body = TEMPLATE.marked(body, "")
    return {"text": body.decode(errors="replace")}
