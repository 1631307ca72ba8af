"""One report of a small tab, drawn once against a real Prometheus and PostgreSQL."""

from __future__ import annotations

from tests.provisioning.conftest import scraped, sources

__all__ = ["scraped", "sources"]
