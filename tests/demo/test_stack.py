"""The local stack's supervision, with small children in the place of servers."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from demo.stack import child, database, ports, record
from demo.stack.child import Part, State, end_session, launch
from demo.stack.down import clear, down
from demo.stack.failure import StackError
from demo.stack.processes import Identity, boot, end, identify, marked
from demo.stack.screen import Row, Screen
from demo.stack.supervisor import Supervisor
from demo.stack.up import _signals_raised
from provisioning import tools

SERVER = """
import http.server, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[2]) if len(sys.argv) > 2 else 200); self.end_headers()
    def log_message(self, *arguments): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
PATIENCE = 60.0
"""Seconds until a test gives up on what has no promised time: machines are slow."""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def eventually(condition: Callable[[], object]) -> None:
    end_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end_at, f"not true within {PATIENCE:g} s"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server(name: str, *arguments: str, code: str = SERVER) -> Part:
    port = free_port()
    command = (sys.executable, "-I", "-S", "-c", code, str(port), *arguments)
    return Part(name, name, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}/", command, patience=PATIENCE)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path)
    yield supervisor
    supervisor.end()


def test_children_become_healthy_and_leave_nothing(tmp_path: Path) -> None:
    seen: list[tuple[str, State]] = []
    supervisor = Supervisor(tmp_path, lambda watched: seen.append((watched.part.name, watched.state)))
    first, second = supervisor.start(server("first")), supervisor.start(server("second"))
    assert supervisor.wait(supervisor.settled, PATIENCE)
    assert (first.state, second.state) == (State.HEALTHY, State.HEALTHY)
    assert marked(tmp_path) == sorted([first.identity, second.identity])  # type: ignore[type-var]
    seen.clear()
    supervisor.end()
    assert marked(tmp_path) == []
    assert first.state is second.state is State.ENDED
    assert ports.is_free(int(first.part.address.rpartition(":")[2]))


def test_parts_end_in_reverse_order(tmp_path: Path) -> None:
    order = tmp_path / "order"
    code = (
        "import pathlib, signal, sys, time\n"
        "def goodbye(*_):\n    pathlib.Path(sys.argv[2]).open('a').write(sys.argv[3]); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, goodbye); print('ready', flush=True); time.sleep(60)"
    )
    supervisor = Supervisor(tmp_path)
    for name in "abc":
        started = supervisor.start(server(name, str(order), name, code=code))
        eventually(lambda log=started.log: child.last_line(log) == "ready")  # type: ignore[misc]
    supervisor.end()
    assert order.read_text() == "cba"


def test_a_part_that_dies_is_started_again_with_its_last_words_shown(supervisor: Supervisor) -> None:
    started = supervisor.start(server("part"))
    assert supervisor.wait(supervisor.settled, PATIENCE)
    first = started.identity
    assert first is not None
    started.log.write_text("listening\nout of luck\n\n")
    os.kill(first.pid, signal.SIGKILL)
    assert supervisor.wait(lambda: started.state is State.RESTARTING, PATIENCE)
    assert started.reason == "killed by SIGKILL: out of luck"
    assert supervisor.wait(lambda: started.state is State.HEALTHY, PATIENCE)
    assert started.identity != first
    assert started.restarts == 1


def test_words_of_an_earlier_life_are_no_cause(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "part.log").write_text("an old failure\n")
    started = supervisor.start(server("part"))
    try:
        assert supervisor.wait(supervisor.settled, PATIENCE)
        assert started.identity is not None
        os.kill(started.identity.pid, signal.SIGKILL)
        assert supervisor.wait(lambda: started.state is State.RESTARTING, PATIENCE)
        assert started.reason == "killed by SIGKILL: no output"
    finally:
        supervisor.end()


def test_a_part_that_cannot_live_is_given_up(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as asking:
        hopeless = child.Child(server("hopeless", code="import sys; sys.exit('no config')"), tmp_path, asking)
        now = 0.0
        hopeless.start(now)
        delays = []
        while hopeless.state is not State.FAILED:
            if hopeless.state is State.RESTARTING:
                delays.append(round(hopeless._start_at - now, 1))
                now = hopeless._start_at
                hopeless.tick(now)
            elif hopeless.identity is None or not hopeless.identity.alive:
                hopeless.tick(now)
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert hopeless.reason == "ended with exit code 1: no config; given up after 5 restarts"


def test_a_part_that_answers_badly_is_unhealthy_and_says_why(supervisor: Supervisor) -> None:
    sick = supervisor.start(server("sick", "503"))
    mute = supervisor.start(server("mute", code="print('thinking', flush=True); import time; time.sleep(60)"))
    eventually(lambda: child.ask(sick.part.ready) == "answers with status 503" and child.last_line(mute.log) == "thinking")
    for part in (sick, mute):  # which have had their time
        part.part = replace(part.part, patience=0.0)
    assert supervisor.wait(supervisor.settled, PATIENCE)
    assert (sick.state, sick.reason) == (State.UNHEALTHY, "not ready after 0 s, answers with status 503")
    assert (mute.state, mute.reason) == (State.UNHEALTHY, "not ready after 0 s, nothing listens at its address: thinking")


def test_a_program_that_is_not_there_is_one_line(supervisor: Supervisor) -> None:
    part = Part("ghost", "Ghost", "", "http://127.0.0.1:1/", ("/nonexistent/program",))
    ghost = supervisor.start(part)
    assert supervisor.wait(lambda: ghost.state is State.RESTARTING, PATIENCE)
    assert ghost.reason == "ended with exit code 1: /nonexistent/program cannot be started: No such file or directory"


def test_deaf_parts_and_their_children_are_killed_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.stack.supervisor._STOP_SECONDS", 0.6)
    family = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); {STUBBORN}"
    supervisor = Supervisor(tmp_path)
    for name in ("one", "two"):
        started = supervisor.start(server(name, code=family))
        eventually(lambda log=started.log: log.exists() and log.read_text().count("deaf") == 2)  # type: ignore[misc]
    assert len(marked(tmp_path)) == 4
    before = time.monotonic()
    supervisor.end()
    assert time.monotonic() - before < 30, "they would have lived for a minute"
    assert marked(tmp_path) == []


def test_children_die_with_a_killed_stack(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time\n"
        "from demo.stack.child import launch\n"
        "var = pathlib.Path(sys.argv[1])\n"
        "child = launch((sys.executable, '-c', 'import time; time.sleep(60)'), var / 'log', var, {})\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    stack = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert stack.stdout is not None
    orphan = identify(int(stack.stdout.readline()))
    assert orphan is not None
    eventually(lambda: b"sleep" in Path(f"/proc/{orphan.pid}/cmdline").read_bytes().split(b"\0")[2])
    stack.kill()
    stack.communicate()
    eventually(lambda: not orphan.alive)


def stack_record(var: Path, *parts: Identity) -> record.Record:
    stack = Identity(os.getpid(), -1)  # a stack that is no more
    running = tuple(record.RunningPart(f"part{n}", "Part", "", "", identity) for n, identity in enumerate(parts))
    return record.Record(boot(), stack, running)


def test_down_ends_leftovers_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.stack.down._LEFTOVER_SECONDS", 0.5)
    left = launch((sys.executable, "-c", STUBBORN), tmp_path / "left.log", tmp_path, {})
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        eventually(lambda: child.last_line(tmp_path / "left.log") == "deaf")
        recycled = identify(other.pid)
        assert recycled is not None
        mine = identify(left.pid)
        assert mine is not None
        record.write(tmp_path, stack_record(tmp_path, mine, Identity(other.pid, recycled.started - 1)))
        assert down(tmp_path) == 1
        assert left.wait(PATIENCE) == -signal.SIGKILL
        assert other.poll() is None, "a process that has the pid of a part by chance is left alone"
        assert record.read(tmp_path) is None
        assert down(tmp_path) == 0
    finally:
        other.kill()
        other.wait()
        end_session(left, 0)


def test_a_record_from_before_a_reboot_names_no_processes(tmp_path: Path) -> None:
    me = identify(os.getpid())
    assert me is not None
    old = record.Record("another boot", me, (record.RunningPart("part", "Part", "", "", me),))
    record.write(tmp_path, old)
    assert record.read(tmp_path) == old
    assert not old.running
    assert clear(tmp_path) == 0


def test_a_record_keeps_a_part_in_its_place(tmp_path: Path) -> None:
    mine = stack_record(tmp_path, Identity(1, 1), Identity(2, 2))
    again = mine.with_part(record.RunningPart("part0", "Part", "", "", Identity(3, 3)))
    assert [part.identity for part in again.parts] == [(3, 3), (2, 2)]
    record.path(tmp_path).write_text("{ torn")
    assert record.read(tmp_path) is None


def test_one_stack_at_a_time(tmp_path: Path) -> None:
    with record.held(tmp_path / "var"):
        record.write(tmp_path / "var", record.Record(boot(), Identity(4242, 1)))
        with (
            pytest.raises(record.AlreadyRunning, match=r"already running .* \(process 4242\)") as caught,
            record.held(tmp_path / "var"),
        ):
            pass
        assert caught.value.exit_code == 2
    with record.held(tmp_path / "var"):
        pass


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StackError, match=r"cannot write to .*file/var: Not a directory; name another") as caught,
        record.held(tmp_path / "file" / "var"),
    ):
        pass
    assert caught.value.exit_code == 2


def test_taken_ports_are_moved_and_named() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        wanted = {"prometheus": port, "grafana": port + 1, "inbox": free_port()}
        chosen = ports.choose(wanted)
    assert chosen["inbox"] == wanted["inbox"]
    assert chosen["prometheus"] not in (port, port + 1)
    assert len(set(chosen.values())) == 3
    assert ports.moved(chosen, wanted)[0] == f"port {port} is taken; prometheus listens on {chosen['prometheus']}"


def test_ending_a_process_that_is_gone_is_fine() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    identity = Identity(gone.pid, 1)
    gone.wait()
    assert identify(gone.pid) is None
    assert end([identity], 1)


def plain_screen() -> tuple[Screen, io.StringIO]:
    written = io.StringIO()
    return Screen(Console(file=written, width=100, force_terminal=False, highlight=False)), written


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Not below pytest's folder: every pytest that starts closes that to others, and under root PostgreSQL is another user."""
    with tempfile.TemporaryDirectory(prefix="observatory-terminal-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def test_a_closed_terminal_ends_the_whole_stack(open_folder: Path) -> None:
    master, terminal = pty.openpty()
    words = ("up", "--var", str(open_folder), "--no-preview", "--no-grafana", "--days", "8", "--scale", "0.01")
    stack = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "demo", *words],
        cwd=Path(__file__).resolve().parents[2],
        env={name: value for name, value in os.environ.items() if name != "OBSERVATORY_POSTGRES_DSN"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    try:
        eventually(lambda: (open_folder / "observatory.yaml").exists())
        assert database.identity(open_folder) is not None
        os.close(master)
        assert stack.wait(PATIENCE) == 130
        assert database.identity(open_folder) is None
        assert not (open_folder / "stack.json").exists()
        assert not (open_folder / "observatory.yaml").exists()
    finally:
        stack.kill()
        stack.wait()
        clear(open_folder)


def test_no_signal_disturbs_the_end_of_a_stack_that_failed() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with pytest.raises(StackError), _signals_raised():
            raise StackError("the database is away")
        assert {signal.getsignal(number) for number in before} == {signal.SIG_IGN}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_full_disk_quietens_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        screen = Screen()
        for _ in range(2):
            screen.say("nobody hears this")


def test_screen_without_a_terminal_writes_plain_lines() -> None:
    screen, written = plain_screen()
    with screen.step("Loading") as beat:
        beat("day 1")
    screen.table([Row("Prometheus", "http://127.0.0.1:9090", "healthy"), Row("Grafana", "", "not started", "no docker [x]")])
    screen.line("rows in 1/s")
    screen.line("rows in 2/s")
    text = written.getvalue()
    assert "Loading: 0." in text
    assert "day 1" not in text, "a step that is done within two seconds has no progress to show"
    assert "not started: no docker [x]" in text
    assert "rows in 1/s\n" in text
    assert "rows in 2/s" not in text
    assert "\x1b" not in text


def test_tools_are_found_by_variable_then_fetched_then_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched, path = tmp_path / "fetched", tmp_path / "path"
    for folder, name in ((fetched, "prometheus-alertmanager"), (path, "alertmanager"), (path, "amtool"), (path, "other")):
        folder.mkdir(exist_ok=True)
        (folder / name).touch(0o755)
    monkeypatch.setattr(tools, "FETCHED", fetched)
    monkeypatch.setenv("PATH", str(path))
    assert tools.find("alertmanager") == fetched / "prometheus-alertmanager"
    assert tools.find("amtool") == path / "amtool"
    assert tools.find("prometheus") is None
    assert "make tools" in tools.how_to_get("prometheus")
    monkeypatch.setenv("OBSERVATORY_AMTOOL", str(path / "other"))
    assert tools.find("amtool") == path / "other"
    monkeypatch.setenv("OBSERVATORY_AMTOOL", str(path / "nothing"))
    with pytest.raises(tools.ToolError, match=r"OBSERVATORY_AMTOOL names .*nothing"):
        tools.find("amtool")


def test_the_record_is_json_that_people_can_read(tmp_path: Path) -> None:
    record.write(tmp_path, stack_record(tmp_path, Identity(7, 9)))
    assert json.loads(record.path(tmp_path).read_text())["parts"][0]["identity"] == [7, 9]


def test_a_chosen_port_is_kept_until_its_part_starts() -> None:
    chosen = ports.choose({"web": free_port(), "mail": free_port()})
    held = ports.Held(chosen)
    assert not ports.is_free(chosen["web"]) and not ports.is_free(chosen["mail"])
    assert ports.choose(chosen) != chosen, "another stack moves"
    held.release("web")
    assert ports.is_free(chosen["web"]) and not ports.is_free(chosen["mail"])
    held.release()
    assert ports.is_free(chosen["mail"])
