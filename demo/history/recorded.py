"""Recorded series of the past, level by level.

promtool asks a running Prometheus for every rule and writes what it answers. It gives nothing for a rule that reads another
whose past is not there yet, so the blocks of one level are served before the next is asked for.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from demo.history.blocks import WORKERS, HistoryError, Programs, move_blocks
from demo.history.openmetrics import BLOCK_SECONDS, COARSE_SECONDS
from recording_rules.registry import groups, rule_groups

START_SECONDS = 60.0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(prometheus: Path, data: Path) -> Iterator[str]:
    """A Prometheus of its own over a data folder, scraping nothing; yields its address. It is gone when the context ends.

    Raises HistoryError when it does not become ready.
    """
    with tempfile.TemporaryDirectory(prefix="observatory-") as folder:
        config, log = Path(folder, "prometheus.yml"), Path(folder, "log")
        config.write_text("{}\n", encoding="utf-8")
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        with log.open("w") as said:
            process = subprocess.Popen(
                [
                    str(prometheus), f"--config.file={config}", f"--storage.tsdb.path={data}",
                    f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=10y", "--web.enable-admin-api",
                ],
                stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            _wait_until_ready(process, url, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"{url}/-/ready", timeout=5).status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing"]
    raise HistoryError(f"the Prometheus that writes history did not become ready; it last said: {last[0]}")


def levels() -> list[list[dict[str, Any]]]:
    """The rule groups of every level, lowest first, without their intervals: the past is evaluated once a minute."""
    found: dict[int, list[dict[str, Any]]] = {}
    for group, rendered in zip(groups(), rule_groups(), strict=True):
        found.setdefault(group.level, []).append({"name": rendered["name"], "rules": rendered["rules"]})
    return [found[level] for level in sorted(found)]


def shares(since: float, until: float, parts: int = WORKERS) -> list[tuple[int, int]]:
    """A span of time in up to `parts` parts of about equal length that meet at even hours, both ends included."""
    first, last = int(since // BLOCK_SECONDS), int(until // BLOCK_SECONDS)
    cuts = sorted({first + round((last + 1 - first) * n / parts) for n in range(1, parts)} - {first, last + 1})
    starts = [int(since), *(cut * BLOCK_SECONDS for cut in cuts)]
    ends = [*(cut * BLOCK_SECONDS - COARSE_SECONDS for cut in cuts), int(until)]
    return list(zip(starts, ends, strict=True))


def record(
    prometheus: Path, promtool: Path, data: Path, since: float, until: float, progress: Callable[[float], None]
) -> None:
    """Write the recorded series of [since, until] into the data folder. `progress` is told the share done, 0 to 1."""
    todo = levels()
    for level, rendered in enumerate(todo):
        with tempfile.TemporaryDirectory(prefix="observatory-", dir=data.parent) as folder:
            file, output = Path(folder, "rules.yml"), Path(folder, "blocks")
            file.write_text(yaml.safe_dump({"groups": rendered}), encoding="utf-8")
            with serving(prometheus, data) as url, Programs() as programs:
                for start, end in shares(since, until):
                    programs.run(
                        [
                            str(promtool), "tsdb", "create-blocks-from", "rules", f"--start={start}", f"--end={end}",
                            f"--url={url}", f"--output-dir={output}", f"--eval-interval={COARSE_SECONDS}s", str(file),
                        ]
                    )  # fmt: skip
            move_blocks(output, data)
        progress((level + 1) / len(todo))


def flush(prometheus: Path, data: Path) -> None:
    """Write what a stopped Prometheus still holds in its write-ahead log as a block.

    Prometheus drops logged samples that are older than its newest block; so before newer blocks are added, the log must
    have become a block itself.
    """
    from demo.history.blocks import blocks_of

    if not (data / "wal").is_dir():
        return
    with serving(prometheus, data) as url:
        answer = requests.post(f"{url}/api/v1/admin/tsdb/snapshot", timeout=120)
        if answer.status_code != 200:
            raise HistoryError(f"Prometheus could not write its log as a block: HTTP {answer.status_code}")
        snapshot = data / "snapshots" / json.loads(answer.text)["data"]["name"]
    have = {block.name for block in blocks_of(data)}
    for block in blocks_of(snapshot):
        if block.name not in have:
            block.rename(data / block.name)
    for left in ("snapshots", "wal", "chunks_head"):
        shutil.rmtree(data / left, ignore_errors=True)
