"""What a check has to say, and the errors that end a command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, order=True)
class Finding:
    """One mistake. `place` is where it stands (file, line and key; or panel; or rule), `remedy` what would be right.

    `check` is the stable name of the check that found it, such as `promql/unknown-label`; empty for the configuration's own.
    """

    severity: Severity
    place: str
    message: str
    remedy: str = ""
    check: str = ""

    def __str__(self) -> str:
        text = f"{self.severity}: {self.place}: {self.message}{f' [{self.check}]' if self.check else ''}"
        return f"{text}\n    {self.remedy}" if self.remedy else text

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def error(place: str, message: str, remedy: str = "", check: str = "") -> Finding:
    return Finding("error", place, message, remedy, check)


def warning(place: str, message: str, remedy: str = "", check: str = "") -> Finding:
    return Finding("warning", place, message, remedy, check)


def has_errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


def closest(word: str, known: Iterable[str]) -> str:
    """A remedy that names the known word nearest to a wrong one, or all of them when none is near and they are few."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"known: {', '.join(names)}" if 0 < len(names) <= 20 else ""


class InputError(Exception):
    """A user's mistake: the command ends with exit code 2 and the text, never with a traceback."""


class Unreachable(Exception):
    """A server does not answer: the command ends with exit code 3 and the text."""


def as_error(problem: Exception | str) -> str:
    """The text that ends a command. What is embedded in other sentences does not begin with `error:`; this does."""
    text = str(problem)
    return text if text.startswith(("error: ", "warning: ")) else f"error: {text}"


class ConfigError(InputError):
    """The configuration cannot be used. `findings` holds every mistake at once."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in findings))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[Sequence[Finding]]]:
        return ConfigError, (self.findings,)  # it may be raised in a second process
