"""The configuration as it counts, with where every value comes from: a default, a file, an overlay, or the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from contract.settings import Settings
from provisioning import config
from provisioning.configuration import layers
from provisioning.configuration.layers import Layers
from provisioning.yaml_source import Path as Place
from provisioning.yaml_source import dotted

VARIABLES: Mapping[Place, str] = {
    ("notifications", "slack", "webhook_url_file"): "SLACK_WEBHOOK_URL_FILE",
    ("sources", "grafana", "token_file"): "OBSERVATORY_GRAFANA_TOKEN",
    ("sources", "grafana", "url"): "OBSERVATORY_GRAFANA_URL",
    ("sources", "langfuse", "base_url"): "LANGFUSE_BASE_URL",
    ("sources", "langfuse", "public_key_file"): "LANGFUSE_PUBLIC_KEY",
    ("sources", "langfuse", "secret_key_file"): "LANGFUSE_SECRET_KEY",
    ("sources", "postgres", "dsn_file"): "OBSERVATORY_POSTGRES_DSN",
    ("sources", "postgres", "advance_dsn_file"): "OBSERVATORY_POSTGRES_ADVANCE_DSN",
    ("database", "user_key_file"): "OBSERVATORY_USER_KEY",
}
"""Variables of the environment that come before a key. Only their names are ever shown: most hold secrets."""


@dataclass(frozen=True)
class Effective:
    """Settings, and the files that they were read from; None where everything is a default."""

    settings: Settings
    files: Layers | None

    @property
    def values(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return plain(self.settings)

    def set_in(self, place: Place) -> Sequence[str]:
        """Where the value of a key is said, the place that counts last; none for a default."""
        return self.files.set_in(place) if self.files else ()

    def variable(self, place: Place) -> str:
        """The variable that is set now and comes before this key; empty when there is none."""
        name = VARIABLES.get(place, "")
        return name if os.environ.get(name, "").strip() else ""

    def origin(self, place: Place) -> str:
        """Where the value that counts comes from, in words; empty for a default."""
        if name := self.variable(place):
            return f"the variable {name}"
        return next(reversed(self.set_in(place)), "")


def read(path: Path | None) -> Effective:
    """The configuration as commands take it: see `config.chosen`. Raises ConfigError with every finding."""
    path, overlays = path or layers.default_file(), config.named_overlays()
    if path is None and not overlays:
        return Effective(config.with_environment(Settings()), None)
    files = layers.read(path, overlays)
    return Effective(config.with_environment(config.settled(files)), files)


def plain(settings: Settings) -> dict[str, Any]:
    """Settings as JSON values; reading them gives the same settings."""
    return dict(_plain(settings.model_dump()))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value


def value_at(values: Any, place: Place) -> Any:
    """What stands at a place. Raises LookupError when nothing does."""
    for part in place:
        if not isinstance(values, dict | list):
            raise LookupError(dotted(place))
        values = values[part]  # type: ignore[index]
    return values


def leaves(values: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value that holds no others, with its place; empty sections and lists too."""
    if isinstance(values, dict | list) and values:
        for key, value in values.items() if isinstance(values, dict) else enumerate(values):
            yield from leaves(value, (*at, key))
    else:
        yield at, values
