"""What the command `check` does with its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.settings import Settings
from provisioning import files
from provisioning.check import Choices, run
from provisioning.check.formats import Format, written
from provisioning.check.locations import Locator
from provisioning.check.report import Report
from provisioning.check.scenarios import Which
from provisioning.findings import ConfigError

if TYPE_CHECKING:
    from provisioning.check.revisions import Since

FINE, FINDINGS, WRONG_INPUT = 0, 1, 2


@dataclass(frozen=True)
class Asked:
    """The options of one call. `config` is the configuration file, where there is one; `out` a folder for what is sound."""

    form: Format = "text"
    scenarios: Which = "changed"
    changed_since: str = ""
    database: bool = False
    config: Path | None = None
    out: Path | None = None


def _writing(out: Path | None, say: Callable[[str], None]) -> Callable[[Mapping[str, bytes]], None]:
    def write(artefacts: Mapping[str, bytes]) -> None:
        if out is not None:
            files.write(artefacts, out)
            say(f"{len(artefacts)} files in {out}")

    return write


def _since(asked: Asked) -> Since | None:
    if not asked.changed_since:
        return None
    from provisioning.check.revisions import Since

    return Since(asked.changed_since, asked.config)


def _dsn(settings: Settings) -> str:
    """The login of the panels where its password is given, else that of the exporter. Raises InputError when neither is."""
    from provisioning.doctor.sources import postgres_of

    panels, _ = postgres_of(settings)
    return panels.dsn


def check(settings: Callable[[], Settings], asked: Asked, say: Callable[[str], None]) -> tuple[str, int]:
    """What to print, and the exit code. `settings` reads the configuration, `say` tells people what takes long.

    Raises InputError and Unreachable. What is wrong with the configuration itself is part of the report in the formats for
    machines, so that it is shown beside the line; for people it is raised.
    """
    try:
        configured = settings()
        choices = Choices(asked.scenarios, _dsn(configured) if asked.database else None, say, _writing(asked.out, say))
        report = run(configured, choices=choices, since=_since(asked))
    except ConfigError as problem:
        if asked.form == "text":
            raise
        return written(Report(problem.findings, {}), asked.form, Locator(Settings(), asked.config)), WRONG_INPUT
    return written(report, asked.form, Locator(configured, asked.config)), FINE if report.ok else FINDINGS
