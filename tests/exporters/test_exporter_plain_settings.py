"""The exporter reads its configuration as plain data, which another process has checked."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import until

from contract.plain import SECTIONS, plain, written
from contract.settings import Settings
from contract.values import Section
from exporters.__main__ import read
from exporters.process import ConfigurationRefused

ROOT = Path(__file__).resolve().parents[2]

SETTINGS = Settings.model_validate(
    {
        "environments": ["production", "test"],
        "scrape": {"platform": [{"environment": "production", "address": "there:1"}]},
        "budgets": [{"scope": "test", "monthly_usd": 5}],
        "exporter": {"tls": {"certificate_file": "a", "key_file": "b"}, "intervals": {"rollups": "500ms"}},
        "sources": {"langfuse": {"prices": [{"model": "own-*", "since": "2026-07-01", "input": 1, "output": 2.5}]}},
        "database": {
            "preset": "supabase",
            "relations": {"feedback": {"columns": {"rating": "stars", "nps": None}}, "handoffs": {"absent": True}},
            "retention": {"platform": {"messages": "90d"}, "archived": ["llm_calls"]},
        },
    }
)


def same(known: object, found: object, place: str) -> None:
    """Whether what was found answers as what is known does."""
    if isinstance(known, Section):
        for name in type(known).model_fields:
            same(getattr(known, name), getattr(found, name), f"{place}.{name}")
    elif isinstance(known, dict):
        assert isinstance(found, dict) and list(known) == list(found), place
        for name, value in known.items():
            same(value, found[name], f"{place}[{name!r}]")
    elif isinstance(known, tuple):
        assert isinstance(found, tuple) and len(known) == len(found), place
        for number, (one, other) in enumerate(zip(known, found, strict=True)):
            same(one, other, f"{place}[{number}]")
    else:
        assert (known, type(known)) == (found, type(found)), place


@pytest.mark.parametrize("settings", [Settings(), SETTINGS], ids=["defaults", "others"])
def test_plain_settings_answer_as_the_checked_ones_do(settings: Settings) -> None:
    found = plain(written(settings))
    for section in SECTIONS:
        same(getattr(settings, section), getattr(found, section), section)


def test_what_is_no_field_is_no_attribute() -> None:
    found: Any = plain(written(Settings()))
    with pytest.raises(AttributeError, match="listn"):
        _ = found.exporter.listn
    with pytest.raises(AttributeError, match="slo"):
        _ = found.slo


def sections(section: type[Section] = Section) -> Iterator[type[Section]]:
    yield section
    for one in section.__subclasses__():
        yield from sections(one)


def test_no_field_is_called_as_what_every_dict_has() -> None:
    clashes = {f"{one.__name__}.{name}" for one in sections() for name in one.model_fields if hasattr(dict, name)}
    assert not clashes, "these could not be read from plain settings"


def test_the_running_exporter_has_nothing_in_memory_that_checks() -> None:
    code = (
        "import sys, exporters.__main__\nprint([name for name in ('pydantic', 'click', 'rich', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_what_the_command_says_is_why_a_configuration_is_refused() -> None:
    wrong = [sys.executable, "-c", "raise SystemExit('error: exporter.listn: unknown key')"]
    with pytest.raises(ConfigurationRefused, match=r"^error: exporter\.listn: unknown key$"):
        read(wrong)
    with pytest.raises(ConfigurationRefused, match="was not read: exit code 7"):
        read([sys.executable, "-c", "raise SystemExit(7)"])


def test_signals_that_come_while_it_is_read_end_the_exporter_in_silence_or_not_at_all(tmp_path: Path) -> None:
    """The reading process notes that it runs, and stays; its parent is first told to read again, and then to end."""
    begun = tmp_path / "begun"
    reading = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)"
    command = [sys.executable, "-m", "exporters", sys.executable, "-c", reading]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        until(begun.exists, 60)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")


def test_the_command_prints_the_configuration_that_it_checked(tmp_path: Path) -> None:
    config = tmp_path / "observatory.yaml"
    config.write_text("exporter: {listen: 127.0.0.1:9000}\n")
    command = [sys.executable, "-P", "-m", "provisioning.cli", "exporter", "--configuration", "--config", str(config)]
    assert read(command).exporter.listen == "127.0.0.1:9000"
    config.write_text("exporter: {listn: 127.0.0.1:9000}\n")
    with pytest.raises(ConfigurationRefused, match="unknown key listn"):
        read(command)
