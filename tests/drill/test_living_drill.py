"""What `make drill` calls a difference, and what it prints. The living stack itself has its tests in tests/integration."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from demo.drill.expected import EXPECTED, NOTHING
from demo.drill.living import Drill, Seen, Stack, StackLost

PAGE = ("AgentErrorsPage", "environment=production")
HEARD = Seen(fired=30.0, slack=33.0, mail=34.0, resolved=300.0)


def test_an_incident_as_listed_has_no_difference() -> None:
    muted = ("AgentErrorRatioHigh", "agent=billing environment=production")
    assert Drill("errors", 0.0, seen={PAGE: HEARD, muted: Seen(60.0)}).differences() == []
    assert Drill(NOTHING, 0.0).differences() == []
    assert Drill(NOTHING, 0.0, seen={("Watchdog", "–"): Seen(1.0)}).differences() == []


def test_what_the_table_does_not_list_is_a_difference() -> None:
    [text] = Drill(NOTHING, 0.0, seen={PAGE: HEARD}).differences()
    assert text == "AgentErrorsPage (environment=production) fired, which the table does not list"


def test_what_must_fire_and_does_not_is_a_difference() -> None:
    assert Drill("errors", 0.0).differences() == ["AgentErrorsPage did not fire"]


@pytest.mark.parametrize(
    ("seen", "texts"),
    [
        (Seen(30.0, None, 34.0, 300.0), ["AgentErrorsPage: no message by slack"]),
        (Seen(30.0, 33.0, None, 300.0), ["AgentErrorsPage: no message by mail"]),
        (Seen(30.0, 33.0, 34.0, None), ["AgentErrorsPage was not resolved"]),
    ],
)
def test_people_must_hear_of_it_and_it_must_end(seen: Seen, texts: list[str]) -> None:
    assert Drill("errors", 0.0, seen={PAGE: seen}).differences() == texts


def test_other_agents_than_in_virtual_time_may_fail() -> None:
    """Which of them have enough to do depends on the hour."""
    assert "AgentErrorRatioHigh" in EXPECTED["errors"]
    other = ("AgentErrorRatioHigh", "agent=nobody environment=production")
    assert Drill("errors", 0.0, seen={PAGE: HEARD, other: Seen(60.0)}).differences() == []


def test_a_stack_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StackLost, match="prometheus is not running in"):
        Stack(tmp_path).firing()


def test_a_part_that_does_not_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
    monkeypatch.setattr(Stack, "address", lambda _self, _part: address)
    with pytest.raises(StackLost, match="prometheus does not answer"):
        Stack(tmp_path).firing()
