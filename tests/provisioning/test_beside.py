"""Work in a copy of the process: what it gives arrives, whatever becomes of the copy."""

from __future__ import annotations

import os
import signal

import pytest

from contract.settings import Settings
from provisioning import build, check
from provisioning.beside import beside
from provisioning.findings import ConfigError, error


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_the_copy_works_and_its_result_arrives() -> None:
    parts: list[str] = []
    wait = beside(lambda: (os.getpid(), parts.append("lost")))
    pid, _ = wait()
    assert pid != os.getpid() and not parts
    with pytest.raises(ProcessLookupError):  # it has ended, and was waited for
        os.kill(pid, 0)


def test_its_error_is_raised_whole() -> None:
    def wrong() -> None:
        raise ConfigError([error("dashboard", "a panel has no title", "give it one")])

    with pytest.raises(ConfigError) as raised:
        beside(wrong)()
    assert raised.value.findings == (error("dashboard", "a panel has no title", "give it one"),)


def test_the_work_of_a_copy_that_is_killed_is_done_here() -> None:
    here = os.getpid()

    def work() -> int:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    assert beside(work)() == here


def test_on_one_core_the_work_is_done_when_its_result_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    done: list[int] = []
    wait = beside(lambda: done.append(os.getpid()))
    assert not done
    wait()
    assert done == [os.getpid()]


def test_a_build_and_its_check_are_the_same_in_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    built = build.artefacts(settings)
    found = list(check.built_findings(built, settings))
    monkeypatch.setattr(build, "beside", beside)
    monkeypatch.setattr(check, "beside", beside)
    assert build.artefacts(settings) == built
    assert list(check.built_findings(built, settings)) == found
