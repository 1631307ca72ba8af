"""What build writes, made once for all tests of this folder."""

from __future__ import annotations

import pytest

from contract.settings import Settings
from provisioning import build


@pytest.fixture(scope="session")
def built() -> dict[str, bytes]:
    return build.artefacts(Settings())
