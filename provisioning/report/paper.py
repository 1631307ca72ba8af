"""A report as PDF: the HTML page, printed by the Chromium that draws the panels."""

from __future__ import annotations

import tempfile
from pathlib import Path

from provisioning import preview
from provisioning.findings import InputError
from provisioning.report import drawn


def pdf(page: str) -> bytes:
    """Raises InputError when there is no Chromium, or it fails."""
    chromium = drawn.browser()
    if chromium is None:
        raise InputError(
            "error: a PDF is printed by Chromium, and none is here; install it (Debian: apt install chromium), name it with "
            "CHROMIUM=/path/to/chromium, or take --format html"
        )
    with tempfile.TemporaryDirectory(prefix="observatory-report-") as folder:
        source, made = Path(folder) / "report.html", Path(folder) / "report.pdf"
        source.write_text(page, encoding="utf-8")
        drawn.run([str(preview.SCRIPT), "pdf", str(source), str(made), "--chromium", chromium], preview.environment())
        return made.read_bytes()
