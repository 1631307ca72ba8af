"""The platform's past, sent to a server as a client would send it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from langfuse_rows import KEYS, Desk

from demo.__main__ import main
from demo.langfuse.faults import Fault
from demo.langfuse.push import PushError, Server, push
from demo.langfuse.server import running
from demo.langfuse.standin import MODES, StandIn
from demo.langfuse.store import Store
from demo.world.model import WorldSpec
from demo.world.observations import observations, scores
from demo.world.world import World

ANCHOR = 1_795_000_000.0
SPEC = WorldSpec(3, ANCHOR, 8, 0.2)
SINCE, UNTIL = ANCHOR - 6.5 * 3600, ANCHOR
_COLUMNS = "id, trace_id, parent_id, type, name, level, started, ended, first_token / 1000, model, usage, cost, prompt_name, "
_COLUMNS += "prompt_version, user_id, session_id, trace_name, tags, environment, version, release, status_message"


def _rows(store: Store, table: str, columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in store.select(f"SELECT {columns} FROM {table} ORDER BY id", {})]


def test_spans_arrive_as_the_rows_that_they_were_made_of() -> None:
    world = World(SPEC)
    desk = Desk(now=UNTIL)
    told: list[tuple[int, int]] = []
    with running(desk.standin) as address:
        sent = push(world, SINCE, UNTIL, Server(address, KEYS.public, KEYS.secret), lambda c, s: told.append((c, s)))
    talks = [talk for index in range(-10, 1) for talk in world.hour(ANCHOR + index * 3600).conversations]
    direct = Store(":memory:")
    direct.insert(
        [row for talk in talks for row in observations(talk, SINCE, UNTIL)],
        [score for talk in talks for score in scores(talk, SINCE, UNTIL)],
    )
    arrived = _rows(desk.standin.store, "observations", _COLUMNS)
    assert len(arrived) > 500, "more than one request"
    assert arrived == _rows(direct, "observations", _COLUMNS)
    judged = "id, trace_id, name, data_type, value, string_value, started / 1000, environment"
    assert _rows(desk.standin.store, "scores", judged) == _rows(direct, "scores", judged)
    assert sent == (len(arrived), len(_rows(direct, "scores", "id"))) == told[-1]


def test_what_the_server_says_is_passed_on_in_one_line() -> None:
    desk = Desk(now=UNTIL)
    with running(desk.standin) as address:
        server = Server(address, KEYS.public, KEYS.secret)
        for fault, words in (("unauthorized", "answers 401"), ("bad_gateway", "502 .*no JSON"), ("reset", "cannot be reached")):
            desk.standin.faults.add(Fault(kind=fault))  # type: ignore[arg-type]
            with pytest.raises(PushError, match=words) as raised:
                push(World(SPEC), UNTIL - 600, UNTIL, server, lambda *_: None)
            assert "\n" not in str(raised.value)
            assert KEYS.secret not in str(raised.value)
    assert KEYS.secret not in repr(server)


def _invoke(folder: Path, *arguments: str) -> Any:
    for name, key in (("public", KEYS.public), ("secret", KEYS.secret)):
        (folder / name).write_text(f"{key}\n")
    keys = ("--public-key-file", str(folder / "public"), "--secret-key-file", str(folder / "secret"))
    return CliRunner().invoke(main, ["push-langfuse", "--var", str(folder), *keys, *arguments])


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "world.json").write_text(json.dumps(asdict(SPEC)))
    monkeypatch.setattr("demo.__main__.time.time", lambda: UNTIL)
    standin = StandIn(Store(":memory:"), MODES["v4"], KEYS, lambda: UNTIL)
    with running(standin) as address:
        done = _invoke(tmp_path, "--to", address, "--for", "30m")
        stored = len(_rows(standin.store, "observations", "id"))
    assert done.exit_code == 0, done.output
    assert f"{stored} observations and" in done.output
    assert stored > 0
    away = _invoke(tmp_path, "--to", address, "--for", "30m")
    assert (away.exit_code, away.stderr) == (3, f"error: {address} cannot be reached: Connection refused\n")


@pytest.mark.parametrize(
    ("duration", "world", "words"),
    [
        ("soon", "{}", "'soon' is not a duration"),
        ("1h", "{}", "does not describe a world"),
        ("1h", None, "no platform has lived in"),
    ],
)
def test_mistakes_are_answered_in_words(duration: str, world: str | None, words: str, tmp_path: Path) -> None:
    if world is not None:
        (tmp_path / "world.json").write_text(world)
    done = _invoke(tmp_path, "--for", duration)
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.output
