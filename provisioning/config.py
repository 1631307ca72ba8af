"""Reads `observatory.yaml`, or `observatory.jsonnet`, with its overlays into `Settings`, and says every mistake at once.

Paths of files are relative to the folder of the configuration, in overlays too. Secrets are never read here: see `secrets`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contract.settings import Settings
from provisioning import yaml_source
from provisioning.configuration import layers
from provisioning.configuration.layers import Layers
from provisioning.findings import ConfigError, Finding, closest, error

OVERLAY_VARIABLE = "OBSERVATORY_OVERLAY"
_PATHS = ("dsn_files", "folder", "library", "vendor", "logins")
"""Keys, beside those that end in `_file`, of paths: one, a list of them, or one for each name."""


def load(path: Path | None, overlays: Sequence[str] = ()) -> Settings:
    """The settings in a file with its overlays, or the defaults when `path` is None. Raises ConfigError with every finding."""
    return settled(layers.read(path, overlays)) if path or overlays else Settings()


def chosen(path: Path | None) -> Settings:
    """The settings as commands take them: of `path`, or of the file in the current folder, or the defaults; with the overlays
    that OBSERVATORY_OVERLAY names, and with what the environment overrides. Raises ConfigError with every finding."""
    return with_environment(load(path or layers.default_file(), named_overlays()))


def named_overlays() -> tuple[str, ...]:
    """The overlays that the environment names, separated by commas or blanks."""
    return tuple(os.environ.get(OVERLAY_VARIABLE, "").replace(",", " ").split())


@contextmanager
def overlaid(overlays: Sequence[str]) -> Iterator[None]:
    """Within it these overlays are the ones that the environment names, for programs that are started too."""
    before = os.environ.get(OVERLAY_VARIABLE)
    os.environ[OVERLAY_VARIABLE] = " ".join(overlays)
    try:
        yield
    finally:
        os.environ.pop(OVERLAY_VARIABLE)
        if before is not None:
            os.environ[OVERLAY_VARIABLE] = before


def settled(found: Layers) -> Settings:
    """The settings that the files of a configuration say together. Raises ConfigError with every finding."""
    if found.data is None:
        raise ConfigError(found.findings)
    try:
        settings = Settings.model_validate_json(json.dumps(_rebased(found.folder, found.data)), strict=True)
    except ValidationError as problem:
        said = {finding.place for finding in found.findings}
        wrong = [_finding(found, details) for details in problem.errors(include_url=False)]
        raise ConfigError(
            found.in_order(found.findings + [finding for finding in wrong if finding.place not in said])
        ) from None
    if wrong := found.findings + _of_mapping(found, settings) + _secrets_imported(found, settings):
        raise ConfigError(found.in_order(wrong))
    return settings


def with_environment(settings: Settings) -> Settings:
    """The settings with SLACK_WEBHOOK_URL_FILE in place of the configured file, where the environment names one."""
    path = os.environ.get("SLACK_WEBHOOK_URL_FILE")
    if not path:
        return settings
    slack = settings.notifications.slack.model_copy(update={"webhook_url_file": path})
    return settings.model_copy(update={"notifications": settings.notifications.model_copy(update={"slack": slack})})


def anchored(settings: Settings, folder: Path) -> Settings:
    """The settings with every file path made absolute from `folder`, for programs that run in a folder of their own."""
    return Settings.model_validate(_rebased(folder.absolute(), settings.model_dump()))


def is_path(key: str) -> bool:
    """Whether what stands under a key of the configuration are paths of files or folders."""
    return key.endswith("_file") or key in _PATHS


def secret_files(settings: Settings) -> Iterator[str]:
    """Paths of the files that hold secrets, as far as the configuration names them."""
    return _texts(settings.model_dump(), lambda key: key.endswith("_file") or key in ("dsn_files", "logins"))


def _rebased(folder: Path, data: Any, path: bool = False) -> Any:
    """`data` with every path taken from `folder`."""
    if isinstance(data, dict):
        return {key: _rebased(folder, value, path or is_path(key)) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_rebased(folder, item, path) for item in data]
    return str(folder / data) if path and isinstance(data, str) else data


def _texts(data: Any, wanted: Callable[[str], bool], taken: bool = False) -> Iterator[str]:
    """Every text under a key that is wanted."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(value, wanted, taken or wanted(key))
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _texts(item, wanted, taken)
    elif taken and isinstance(data, str):
        yield data


def _of_mapping(found: Layers, settings: Settings) -> list[Finding]:
    """What cannot be right of the platform's tables, as far as it can be told without a database."""
    if not settings.database.relations:
        return []  # the presets are right, and what maps relations takes long to import
    from exporters.database.mapping import Mapping, MappingError

    try:
        Mapping.of(settings)
    except MappingError as problem:
        return [error(found.place(mistake.place), mistake.message) for mistake in problem.mistakes]
    return []


def _secrets_imported(found: Layers, settings: Settings) -> list[Finding]:
    """Jsonnet can import any file below its folder, but what a file of secrets holds must not become configuration."""
    secret = {Path(file).resolve() for file in secret_files(settings)}
    return [
        error(layer.name, f"imports {file}, which holds a secret", "say only where the file is, in a key that ends in _file")
        for layer in found.layers
        for file in layer.read
        if file in secret
    ]


def _finding(found: Layers, details: ErrorDetails) -> Finding:
    path: yaml_source.Path = details["loc"]
    place = found.place(path)
    kind, value = details["type"], details["input"]
    if kind == "extra_forbidden":
        return error(place, f"unknown key {path[-1]}", closest(str(path[-1]), _known_keys(path[:-1])))
    if kind == "missing":
        return error(place, f"{path[-1]} is missing", f"add {path[-1]}: {_example(path)}")
    if kind in ("model_type", "model_attributes_type"):
        keys = ", ".join(_known_keys(path))
        return error(place, f"{_shown(value)} where settings with keys are wanted", f"leave it away, or give some of: {keys}")
    message = details["msg"].removeprefix("Value error, ")
    if kind != "value_error":
        message = f"{_shown(value)}: {message[0].lower()}{message[1:].replace('Input should', 'should')}"
        message = message.replace(": input should", " should").replace(": string should", " should")
    remedy = f"for example {_example(path)}" if _example(path) else ""
    if kind == "string_type" and isinstance(value, int | float):
        remedy = f'put it in quotes: "{_shown(value)}"'
    return error(place, message, remedy)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _example(path: yaml_source.Path) -> str:
    """The default of a key, as an example of what is right; empty when there is none."""
    value: Any = Settings()
    for part in path:
        if isinstance(part, int):
            value = value[0] if isinstance(value, tuple) and value else None
        else:
            value = getattr(value, part, None)
    if isinstance(value, BaseModel | tuple) or value is None or value == {}:
        return ""
    return json.dumps(value, default=float)  # exact numbers


def _known_keys(path: yaml_source.Path) -> list[str]:
    """The keys of settings at a place, also where there are none by default. Positions and names of entries add nothing."""
    section: type[BaseModel] = Settings
    for part in path:
        if part in section.model_fields:
            section = _section(section.model_fields[str(part)].annotation) or section
    return list(section.model_fields)


def _section(annotation: Any) -> type[BaseModel] | None:
    """The settings that a field holds, by itself, or as entries."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section(part))), None)
