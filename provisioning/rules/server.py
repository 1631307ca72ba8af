"""A Prometheus of our own, for as long as it is needed: over a copy of a data folder, or empty, to be written to."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from provisioning import tools
from provisioning.findings import InputError, Unreachable
from provisioning.rules.history import History
from provisioning.rules.wire import Series, write_request

_START_SECONDS = 120.0
_SAMPLES_AT_ONCE = 20_000
_RETENTION = "100y"
BLOCK = "2d"
"""So long is a block of what is written, and samples may be half as late; see `Workshop.write`."""


class Workshop(History):
    """A server that what was recomputed is written to."""

    def write(self, series: Iterable[Series]) -> None:
        """Adds samples. They may be a day older than the newest there is, but not older than others of their own series."""
        batch: list[Series] = []
        waiting = 0
        for one in series:
            batch.append(one)
            waiting += len(one[2])
            if waiting >= _SAMPLES_AT_ONCE:
                self.send(write_request(batch))
                batch, waiting = [], 0
        if batch:
            self.send(write_request(batch))

    def send(self, request: bytes) -> None:
        """One remote write, encoded already. Raises Unreachable when it is not taken."""
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        try:
            answer = self._session.post(f"{self.url}/api/v1/write", data=request, headers=headers, timeout=60)
        except requests.RequestException as problem:
            raise Unreachable(f"error: our own Prometheus has gone: {type(problem).__name__}") from None
        if answer.status_code // 100 != 2:
            raise Unreachable(f"error: our own Prometheus takes no samples: {answer.text.strip()}")


@contextmanager
def workshop() -> Iterator[Workshop]:
    """An empty server, gone with its data when the context ends. Raises InputError without a binary, Unreachable."""
    with _folder() as folder, serving(folder, folder / "data", "--web.enable-remote-write-receiver") as url:
        yield Workshop(url, "our own Prometheus")


@contextmanager
def over(data: Path) -> Iterator[History]:
    """A server over the data folder of a Prometheus that is not running, or over a snapshot; nothing is written there.

    Raises InputError when there is no such folder or no binary, and Unreachable when no server comes up over it.
    """
    if not data.is_dir() or not any((entry / "meta.json").is_file() or entry.name == "wal" for entry in data.iterdir()):
        raise InputError(f"error: {data} is no data folder of Prometheus; it would hold blocks or a folder called wal")
    with _folder() as folder:
        shutil.copytree(data, folder / "data", copy_function=linked, ignore=_left_out)
        with serving(folder, folder / "data") as url:
            yield History(url, f"a Prometheus over {data}")


def oldest(data: Path) -> float:
    """No sample of a data folder is older: seconds since the epoch, 0 where it has no blocks."""
    return min(
        (json.loads(meta.read_text(encoding="utf-8"))["minTime"] / 1000 for meta in data.glob("*/meta.json")), default=0.0
    )


def newest(data: Path, history: History) -> float:
    """Time of the newest sample of a data folder that `history` serves. Raises InputError when there is none."""
    blocks = (json.loads(meta.read_text(encoding="utf-8"))["maxTime"] / 1000 for meta in data.glob("*/meta.json"))
    found: float = max([*blocks, history.newest()])
    if not found:
        raise InputError(f"error: {data} holds no samples")
    return found


def linked(source: str, target: str) -> None:
    """Copies a file of a data folder. Blocks never change, so a second name does for them; the log is written to."""
    if Path(source).name == "index" or Path(source).parent.name == "chunks":
        try:
            os.link(source, target)
            return
        except OSError:  # another file system, or one without links
            pass
    shutil.copyfile(source, target)


def _left_out(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("lock", "queries.active", "snapshots") or name.endswith(".tmp")}


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="observatory-rules-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def serving(folder: Path, data: Path, *options: str, block: str = BLOCK, cores: int = 0) -> Iterator[str]:
    """The address of a server over `data`; its configuration is `folder`/prometheus.yml, its blocks are `block` long.

    It computes on so many `cores`, or on all. Raises InputError without a binary, Unreachable when it does not come up.
    """
    try:
        binary = tools.find("prometheus")
    except tools.ToolError as problem:
        raise InputError(f"error: {problem}") from None
    if binary is None:
        raise InputError(f"error: {tools.how_to_get('prometheus')}")
    lengths = (f"--storage.tsdb.{end}-block-duration={block}" for end in ("min", "max"))
    environment = {**os.environ, **({"GOMAXPROCS": str(cores)} if cores else {})}
    kept = f"--storage.tsdb.retention.time={_RETENTION}"
    with running(binary, folder, data, kept, *lengths, *options, environment=environment) as url:
        yield url


@contextmanager
def running(binary: Path, folder: Path, data: Path, *options: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The address of a server over `data` that scrapes nothing; its configuration and what it says are in `folder`.

    It is gone when the context ends. Raises Unreachable when it does not come up.
    """
    config, log = folder / "prometheus.yml", folder / "log"
    config.write_text("{}\n", encoding="utf-8")
    port = free_port()
    command = [
        str(binary), f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{port}",
        *options,
    ]  # fmt: skip
    with log.open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=environment)
    try:
        _wait(process, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"{url}/-/ready", timeout=5).status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing"]
    raise Unreachable(f"error: our own Prometheus did not become ready; it last said: {last[0]}")


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
