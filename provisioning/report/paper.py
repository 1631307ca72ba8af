"""A report as PDF: the HTML page, printed by the Chromium that draws the panels."""

from __future__ import annotations

import tempfile
from pathlib import Path

from provisioning import preview
from provisioning.report import drawn


def pdf(page: str) -> bytes:
    """Raises InputError when there is no Chromium, or it fails."""
    with tempfile.TemporaryDirectory(prefix="observatory-report-") as folder:
        source, made = Path(folder) / "report.html", Path(folder) / "report.pdf"
        source.write_text(page, encoding="utf-8")
        drawn.run([str(preview.SCRIPT), "pdf", str(source), str(made), "--chromium", drawn.browser()], drawn.with_node())
        return made.read_bytes()
