"""What is described is what is served: the page, the document, and what they say of each other."""

from __future__ import annotations

from pathlib import Path

import jsonschema
from starlette.routing import Route

from api import openapi
from api.process import Setup, assembled
from contract.api import Api, ApiLimits
from provisioning.api.page import page
from provisioning.api.setup import recorded

DOCUMENT = openapi.document(ApiLimits(), recorded())
UNDESCRIBED = {"/healthz", "/metrics", "/openapi.json"}
"""What needs no token and tells of nobody."""


def test_the_page_is_written_from_the_catalogue() -> None:
    written = Path(__file__).resolve().parents[2] / "docs" / "api.md"
    assert written.read_text(encoding="utf-8") == page(), "`make docs` writes it anew"


def test_every_address_is_described(tmp_path: Path) -> None:
    served = assembled(Setup(Api(), tmp_path / "tokens", {}, "http://127.0.0.1:1", recorded(), "http://127.0.0.1:3000"))
    paths = {route.path for route in served.routes if isinstance(route, Route)}
    assert paths - UNDESCRIBED == set(DOCUMENT["paths"])


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
