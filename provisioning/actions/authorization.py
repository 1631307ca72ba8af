"""The header Authorization of what an action asks other systems, from the file that holds it."""

from __future__ import annotations

import re
from pathlib import Path

from exporters.credentials import CredentialError, secret_in
from provisioning.findings import InputError

_HEADER = re.compile(r"[ -~]+")


def authorization(file: str | None) -> dict[str, str]:
    """The header; none where no file is named. Raises InputError, which names the file and nothing of what it holds."""
    if not file:
        return {}
    try:
        value = secret_in(Path(file))
    except CredentialError as problem:
        raise InputError(f"error: authorization_file: {problem}") from None
    if not _HEADER.fullmatch(value):  # what sends it would refuse it in words that show it
        raise InputError(f"error: authorization_file: {file} holds no header: a line break, or a letter that no header has")
    return {"Authorization": value}
