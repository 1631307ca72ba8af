"""The stand-in as a program of its own, told by the platform and read by the public SDK."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from langfuse import Langfuse
from langfuse_rows import KEYS, at, by, iso, metrics, observation, score

from demo.langfuse.standin import MODES

NOON = at("12:00:00")
QUESTION = json.dumps(
    {
        "view": "observations", "dimensions": by("providedModelName"), "metrics": metrics("count_count", "sum_totalCost"),
        "fromTimestamp": iso("00:00:00"), "toTimestamp": iso("23:00:00"),
    }
)  # fmt: skip


class Program:
    """The stand-in as a program of its own, on a free port."""

    def __init__(self, folder: Path, mode: str) -> None:
        for name, key in (("public", KEYS.public), ("secret", KEYS.secret)):
            (folder / name).write_text(f"{key}\n")
        options = ["--port", "0", "--mode", mode, "--lag", "0", "--var", str(folder)]
        keys = ["--public-key-file", str(folder / "public"), "--secret-key-file", str(folder / "secret")]
        command = [sys.executable, "-m", "demo.langfuse", *options, *keys]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line + self.process.stdout.read()
        self.address = found[0]

    def post(self, door: str, body: Any) -> requests.Response:
        return requests.post(f"{self.address}/standin/{door}", json=body, timeout=10)

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, output


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path, "v4")
    yield program
    program.process.kill()
    program.process.communicate()


CALL = observation(
    "o1", NOON, 2.0, trace_id="t1", user_id="u1", usage={"input": 10, "output": 5}, cost={"total": 0.25}, tags=("x",)
)
OTHER = CALL._replace(id="o2", model="other", cost={}, start=NOON + 1, end=NOON + 2)


def _sent(*rows: Any) -> list[dict[str, Any]]:
    return [row._asdict() for row in rows]


def test_the_public_sdk_reads_the_program(program: Program) -> None:
    sent = {"observations": _sent(CALL, OTHER), "scores": _sent(score("s1", NOON, 0.5), score("s2", NOON, "kind"))}
    for _ in range(2):
        assert program.post("rows", sent).json() == {"observations": 2, "scores": 2, "traces": 0}
    sdk = Langfuse(public_key=KEYS.public, secret_key=KEYS.secret, base_url=program.address, tracing_enabled=False)
    assert sdk.auth_check()
    assert sdk.api.health.health().version == MODES["v4"].version
    rows = {row["providedModelName"]: row for row in sdk.api.metrics.metrics(query=QUESTION).data}
    assert {model: (row["count_count"], row["sum_totalCost"]) for model, row in rows.items()} == {
        "gpt-x": (1, 0.25), "other": (1, 0),
    }  # fmt: skip
    first = sdk.api.observations.get_many(limit=1, fields="basic,usage,metrics,trace_context")
    second = sdk.api.observations.get_many(limit=1, fields="basic,usage,metrics,trace_context", cursor=first.meta.cursor)
    (call,) = second.data
    assert [row.id for row in first.data + second.data] == ["o2", "o1"]
    assert second.meta.cursor is None
    assert (call.latency, call.total_cost, call.usage_details, call.tags) == (
        2.0,
        0.25,
        {"input": 10, "output": 5, "total": 15},
        ["x"],
    )
    values = {row.id: row.value for row in sdk.api.scores.get_many(fields="subject").data}
    assert values == {"s1": 0.5, "s2": "kind"}
    models = sdk.api.models.list(limit=100)
    assert models.meta.total_items == len(models.data) > 0
    assert all(model.input_price for model in models.data)


def test_the_program_fails_on_demand_and_stops_cleanly(program: Program) -> None:
    url = f"{program.address}/api/public/health"
    assert program.post("fault", {"kind": "error", "times": None}).status_code == 200
    assert requests.get(url, timeout=10).status_code == 500
    program.post("fault", {"kind": "none"})
    assert requests.get(url, timeout=10).status_code == 200
    assert program.post("fault", {"kind": "earthquake"}).json()["error"][0]["path"] == ["kind"]
    code, output = program.stop()
    assert (code, output) == (0, "")


def test_rows_stay_when_the_program_is_started_again(tmp_path: Path) -> None:
    for mode, path in (("v4", "v2/metrics"), ("v3", "metrics")):
        program = Program(tmp_path, mode)
        try:
            if mode == "v4":
                program.post("rows", {"observations": _sent(CALL)})
            url = f"{program.address}/api/public/{path}"
            answer = requests.get(url, params={"query": QUESTION}, auth=(KEYS.public, KEYS.secret), timeout=10)
            assert answer.json()["data"] == [{"providedModelName": "gpt-x", "count_count": 1, "sum_totalCost": 0.25}]
        finally:
            code, _ = program.stop()
        assert code == 0


def test_wrong_rows_are_refused_with_their_place(program: Program) -> None:
    broken = CALL._asdict() | {"start": "yesterday"}
    answer = program.post("rows", {"observations": [broken]})
    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["observations", 0, "start"]
    assert requests.post(f"{program.address}/standin/rows", data="{}", timeout=10).status_code == 400


def _run(folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    (folder / "key").write_text("key\n")
    options = {"--var": str(folder), "--port": "0", "--public-key-file": str(folder / "key")}
    options |= {"--secret-key-file": str(folder / "key"), **{f"--{name}": value for name, value in changes.items()}}
    command = [sys.executable, "-m", "demo.langfuse", *(part for pair in options.items() for part in pair)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_mistakes_on_the_command_line_are_answered_in_words(tmp_path: Path, program: Program) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "langfuse.sqlite").write_text("not a database, but long enough to be looked at" * 40)
    for changes, words in (
        ({"mode": "v5"}, "'v5' is not one of 'v3', 'v4', 'dual', 'cloud'"),
        ({"secret-key-file": str(tmp_path / "empty")}, "is empty; it must hold the key"),
        ({"secret-key-file": str(tmp_path / "none")}, "does not exist"),
        ({"port": program.address.rpartition(":")[2]}, "Address already in use"),
        ({"var": str(tmp_path / "broken")}, "cannot be opened"),
    ):
        done = _run(tmp_path, **changes)
        assert done.returncode == 2
        assert words in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr


def test_rows_are_taken_by_name_and_in_order(program: Program) -> None:
    sent = {"observations": [CALL, OTHER._asdict()], "scores": [score("s1", NOON, 0.5)]}
    assert program.post("rows", sent).json() == {"observations": 2, "scores": 1, "traces": 0}
    short = program.post("rows", {"observations": [CALL[:-1]]})
    assert (short.status_code, short.json()["error"][0]["path"][:2]) == (400, ["observations", 0])
