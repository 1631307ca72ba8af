"""Work in a second process gives what it would have given here."""

from __future__ import annotations

import os
import signal

import pytest

from provisioning.beside import beside
from provisioning.findings import ConfigError, error


def test_the_result_comes_from_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    wait = beside(lambda: (os.getpid(), ["a"]))
    process, result = wait()
    assert process != os.getpid() and result == ["a"]


def test_what_it_raises_is_raised_here_with_its_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    wrong = error("dashboard", "nothing is drawn")

    def fail() -> None:
        raise ConfigError([wrong])

    with pytest.raises(ConfigError) as raised:
        beside(fail)()
    assert raised.value.findings == (wrong,)


def test_on_one_core_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert beside(os.getpid)() == os.getpid()


def test_work_whose_process_is_killed_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    here = os.getpid()

    def work() -> int:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    assert beside(work)() == here
