"""What people write as a value, and what they say of it, is what PostgreSQL keeps and a cell shows."""

from __future__ import annotations

from typing import Any

import pytest

from provisioning.actions import audit
from provisioning.actions.configuring import parsed
from provisioning.findings import InputError
from tests.actions.cases import log, run


@pytest.mark.parametrize(
    ("text", "value"),
    [("20", 20), ("1e3", 1000.0), ("true", True), ("fast", "fast"), ('"20"', "20"), ("gr\u00fcn", "gr\u00fcn")],
)
def test_a_value_as_people_write_it(text: str, value: Any) -> None:
    assert parsed(text) == value and type(parsed(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["", " ", "null", "[1]", "NaN", "1e400", "-1e400", '"\\u0000"', '"\\ud800"', "a\udcffb", "a" * 201]
)
def test_what_is_no_value(text: str) -> None:
    with pytest.raises(InputError, match=r'^error: ".*" is no value; write a number, true, false, or a word$'):
        parsed(text)


@pytest.mark.parametrize(
    "words",
    [
        ("configure", "set", "billing", "timeout_seconds", "20"),
        ("cache", "off", "billing"),
        ("regression", "flag", "billing", "1.4.2", "--metric", "errors"),
        ("alert", "mute", "AgentErrorRatioHigh", "--for", "1h"),
    ],
)
def test_a_reason_fits_a_cell(site: str, words: tuple[str, ...]) -> None:
    done = run(*words, "--reason", "a" * 201, "--yes")
    assert done.exit_code == 2 and "--reason has 201 letters; at most 200 are shown" in done.output and not log(site)


def test_the_name_of_an_advice_is_quoted(site: str) -> None:
    done = run("advice", "apply", "", "--yes")
    assert done.exit_code == 2 and 'there is no advice ""; with something to set there is: slow' in done.output


@pytest.mark.parametrize("words", [("configure", "list"), ("advice", "list"), ("loadtest", "list"), ("cache", "list")])
def test_a_list_without_a_database_is_no_action(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    monkeypatch.delenv(audit.VARIABLE, raising=False)
    done = run(*words)
    assert done.exit_code == 2 and "what actions change and record is in PostgreSQL" in done.output
