"""Our own message templates for Alertmanager: Go templates, kept as files in `messages/`."""

from __future__ import annotations

from pathlib import Path

from contract.settings import Settings

_MESSAGES = Path(__file__).parent / "messages"


def files(settings: Settings) -> dict[str, str]:  # noqa: ARG001 — all that differs between sites comes with the alert
    """Template files by name. They read labels and annotations of the alert and Alertmanager's own address, nothing else."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(_MESSAGES.glob("*.tmpl"))}
