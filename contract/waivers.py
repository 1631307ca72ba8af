"""Findings of `observatory check` that a team has looked at and leaves for a while."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from contract.values import Section


class Waiver(Section):
    """One finding that is not to fail the check, until and including the day `expires` (UTC).

    `check` is the name that stands behind the finding, such as `rules/unused`. `target` is its place, or the part of it before
    a comma: `dashboard Overview` stands for all panels of it.
    """

    check: Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9-]+$")]
    target: Annotated[str, Field(min_length=1)]
    owner: str
    reason: Annotated[str, Field(min_length=10)]
    expires: date
