"""Secrets of the local stack: files in `var/secrets` that only their owner may read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write(path: Path, text: str) -> Path:
    """Puts a text into a file of mode 0600, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return temporary.replace(path)


def kept(path: Path, prefix: str = "") -> Path:
    """A file with a random secret, made on the first call and then kept, as servers remember what they were told."""
    return path if path.exists() else write(path, prefix + secrets.token_urlsafe(24))
