"""Whatever is asked, the API neither breaks nor tells of its insides: requests are made from its own document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from api import openapi
from contract.api import ApiLimits
from provisioning.api.setup import recorded
from tests.api.conftest import Served

INSIDES = re.compile(
    r"Traceback|psycopg|File \"|/site-packages/|\bSELECT\b|\bFROM analytics|observatory_(grafana|self)|password=|relation \""
)
"""What no caller has any business with."""

DOCUMENT = openapi.document(ApiLimits(), recorded())
PATHS = sorted(DOCUMENT["paths"])
EXAMPLES = 30
"""Of each address; a flaw of all of them is found by any."""


@pytest.fixture(scope="module")
def schema() -> Any:
    return schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("path", PATHS)
def test_nothing_breaks_and_nothing_leaks(served: Served, schema: Any, session: requests.Session, path: str) -> None:
    (method,) = DOCUMENT["paths"][path]
    operation = schema[path][method]
    cases = strategies.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
    callers = strategies.sampled_from((served.callers.admin, served.callers.business, served.callers.person))

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases, token=callers)
    def asked(case: Case, token: str) -> None:
        answer = case.call(base_url=served.url, session=session, headers=served.callers.headers(token), timeout=30)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        assert not INSIDES.search(answer.text)
        case.validate_response(answer, checks=[status_code_conformance, response_schema_conformance])

    asked()
