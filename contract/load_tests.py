"""Where load tests go, and the most that one may do: nothing is loaded that is not named here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from contract.values import Section, Url, between

FORGOTTEN = "1 day"
"""A test that nobody ran within this time of its moment is over."""
UNTIL_LOST = 300
"""Seconds after the end of its time when a test that is still said to run has lost its runner."""

WAITING = f"""
(state = 'scheduled' AND scheduled_at > now() - interval '{FORGOTTEN}'
 OR state = 'running' AND started_at > now() - ((params->>'seconds')::double precision + {UNTIL_LOST}) * interval '1 second')
"""
"""SQL: whether a row of `analytics.load_tests` is still to be run, or running. Others that say so are lost."""


class LoadTarget(Section):
    """The target of an environment. `{agent}` in `url` stands for the agent's name; `body` is sent as JSON with a POST.

    `authorization_file` holds what is sent as the header Authorization. A test asks for `per_second` requests in a second at
    most, waits for `at_once` answers at most, and is over after `longest`.
    """

    environment: str
    url: Url
    method: Literal["GET", "POST"] = "GET"
    body: Annotated[str, Field(max_length=10_000)] = ""
    authorization_file: str | None = None
    per_second: Annotated[float, Field(gt=0, le=1000)] = 20
    at_once: Annotated[int, Field(ge=1, le=200)] = 20
    longest: Annotated[str, between("10s", "1h")] = "10m"


class LoadTests(Section):
    """`targets`, one an environment at most."""

    targets: tuple[LoadTarget, ...] = ()

    @field_validator("targets")
    @classmethod
    def _one_each(cls, targets: tuple[LoadTarget, ...]) -> tuple[LoadTarget, ...]:
        names = [target.environment for target in targets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return targets
