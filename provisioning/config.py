"""Reads `observatory.yaml` into `Settings` and explains every mistake in it at once.

Paths of files in the configuration are relative to the configuration file. Secrets are never read here: see `secrets`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contract.settings import Settings
from provisioning import yaml_source
from provisioning.findings import ConfigError, Finding, closest, error

FILE_NAME = "observatory.yaml"
MOST_BYTES = 100_000


def load(path: Path | None) -> Settings:
    """The settings in a file, or the defaults when `path` is None. Raises ConfigError with every finding."""
    if path is None:
        return Settings()
    source = yaml_source.parse(str(path), _read(path))
    if source.data is None and not source.findings:
        raise ConfigError(
            [error(source.name, "the file says nothing", "give at least one setting, such as: exporter: {max_age: 15m}")]
        )
    if source.data is None:
        raise ConfigError(source.findings)
    try:
        settings = Settings.model_validate_json(json.dumps(_beside(path, source.data)), strict=True)
    except ValidationError as problem:
        said = {finding.place for finding in source.findings}
        found = [_finding(source, details) for details in problem.errors(include_url=False)]
        raise ConfigError(_in_order(source.findings + [finding for finding in found if finding.place not in said])) from None
    if found := source.findings + _of_mapping(source, settings):
        raise ConfigError(_in_order(found))
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


def _read(path: Path) -> str:
    try:
        if not path.is_dir() and path.exists() and not path.is_file():  # reading a pipe may never end
            raise ConfigError([error(str(path), "this is no regular file", "save the configuration in a file")])
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError([error(str(path), "there is no such file", f"name an existing {FILE_NAME}")]) from None
    except IsADirectoryError:
        raise ConfigError([error(str(path), "this is a folder", f"name the file in it: {path / FILE_NAME}")]) from None
    except OSError as problem:
        raise ConfigError([error(str(path), f"the file cannot be read: {problem.strerror}")]) from None
    if len(raw) > MOST_BYTES:
        raise ConfigError([error(str(path), f"more than {MOST_BYTES} bytes", f"is this {FILE_NAME}?")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise ConfigError(
            [error(f"{path}:{line}", f"byte 0x{raw[problem.start]:02x} is not UTF-8 text", "save the file as UTF-8")]
        ) from None


def _beside(path: Path, data: Any) -> Any:
    return _rebased(path.parent, data)


def _rebased(folder: Path, data: Any) -> Any:
    """`data` with every path, which is the value of a key `folder` or of one that ends in `_file`, taken from `folder`."""
    if isinstance(data, dict):
        return {
            key: str(folder / value)
            if (key == "folder" or key.endswith("_file")) and isinstance(value, str)
            else _rebased(folder, value)
            for key, value in data.items()
        }
    if isinstance(data, list | tuple):
        return [_rebased(folder, item) for item in data]
    return data


def _in_order(findings: list[Finding]) -> list[Finding]:
    """As they stand in the file."""

    def line_and_column(finding: Finding) -> tuple[int, ...]:
        numbers = [int(part) for part in finding.place.split(": ")[0].split(":") if part.isdigit()]
        return tuple(numbers)

    return sorted(findings, key=lambda finding: (line_and_column(finding), finding))


def _of_mapping(source: yaml_source.Source, settings: Settings) -> list[Finding]:
    """What cannot be right of the platform's tables, as far as it can be told without a database."""
    if not settings.database.relations:
        return []  # the presets are right, and what maps relations takes long to import
    from exporters.database.mapping import Mapping, MappingError

    try:
        Mapping.of(settings)
    except MappingError as problem:
        return [error(source.place(mistake.place), mistake.message) for mistake in problem.mistakes]
    return []


def _finding(source: yaml_source.Source, details: ErrorDetails) -> Finding:
    path: yaml_source.Path = details["loc"]
    place = source.place(path)
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
    if isinstance(value, BaseModel | tuple) or value is None:
        return ""
    return json.dumps(value)


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
