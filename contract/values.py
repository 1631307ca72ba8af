"""Kinds of values in the configuration: durations, addresses, shares. Each refuses what cannot be right with a sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from contract.durations import FORM
from contract.durations import duration_seconds as duration_seconds
from contract.durations import duration_text as duration_text

DURATION_BOUNDS = "x-duration-bounds"
"""What the JSON Schema calls the least and the most of a duration, which no keyword of its own can say."""

_LOGIN = "an address with a user or password; addresses are shown to people, keep secrets in files"


@dataclass(frozen=True)
class Between:
    """Holds a duration between two others."""

    least: str
    most: str

    def held(self, text: str) -> str:
        """The same duration. Raises ValueError when it does not lie between them."""
        if not duration_seconds(self.least) <= duration_seconds(text) <= duration_seconds(self.most):
            raise ValueError(f"{text[:40]!r} does not lie between {self.least} and {self.most}")
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.held, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"pattern": FORM.pattern, DURATION_BOUNDS: [self.least, self.most]}


def between(least: str, most: str) -> Between:
    """Holds a duration between two others."""
    return Between(least, most)


def checked_url(text: str) -> str:
    """An http address without the slash at its end. Raises ValueError, which never repeats a password, for anything else."""
    try:
        parts = urlsplit(text)
        port, login = parts.port, "@" in parts.netloc
    except ValueError:
        port, login = 0, "@" in text  # a password may hold the slash that seems to end the host
    if login:
        raise ValueError(_LOGIN)
    if not re.fullmatch(r"https?://[^\s/?#:][^\s]*|https?://\[[^\s]+", text):
        raise ValueError(f"{text!r} is not an address; write for example http://127.0.0.1:9090")
    if port == 0:
        raise ValueError(f"{text!r} has no port between 1 and 65535; write for example http://127.0.0.1:9090")
    return text.rstrip("/")


def host(text: str) -> str:
    """The port of `host:port`, where there is one, is a port; and there is no login."""
    if "@" in text:
        raise ValueError(_LOGIN)
    port = text.rpartition(":")[2] if ":" in text else "1"
    if port.isdecimal() and not (len(port) < 6 and 1 <= int(port) <= 65535):
        raise ValueError(f"{text[:80]!r} has no port between 1 and 65535")
    return text


def day(text: str) -> str:
    """A day as ISO 8601 has it, with hyphens. Raises ValueError for anything else."""
    try:
        real = date.fromisoformat(text).isoformat() == text
    except ValueError:
        real = False
    if not real:
        raise ValueError(f"{text[:40]!r} is no day; write for example 2027-01-31")
    return text


Interval = Annotated[str, between("1s", "1d")]
Url = Annotated[str, AfterValidator(checked_url), Field(json_schema_extra={"format": "uri", "pattern": "^https?://"})]
Host = Annotated[str, AfterValidator(host)]
Address = Annotated[str, Field(pattern=r"^[^\s:/]+:[0-9]+$"), AfterValidator(host)]
Uid = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
Day = Annotated[str, AfterValidator(day), Field(json_schema_extra={"format": "date"})]
"""A day (UTC), as text: settings are handed over as JSON."""
Share = Annotated[float, Field(gt=0, lt=1)]
Amount = Annotated[float, Field(gt=0, le=1e9)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)
