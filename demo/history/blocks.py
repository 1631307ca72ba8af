"""A Prometheus of our own over a data folder; what is written to it becomes a block.

All of the past stays in its memory until then, so samples may come in any order of series, and rules see at once what was
written. Text for `promtool tsdb create-blocks-from` would be read twice, line by line, and take four times as long; and rules
would only see it after a new start.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from provisioning.findings import Unreachable
from provisioning.rules.server import Workshop, linked, running

_SNAPSHOT_SECONDS = 120
_BLOCK_NAME_LENGTH = 26
_ALL = "60d"
"""Longer than twice any past: a server keeps in memory what is shorter, and takes samples that are half as late."""
_LENGTHS = tuple(f"--storage.tsdb.{end}-block-duration={_ALL}" for end in ("min", "max"))
_OUT_OF_ORDER = "from-out-of-order"
"""What Prometheus notes in blocks whose time does not keep it from taking older samples."""


class HistoryError(Exception):
    """History could not be written; the text says what failed."""


def blocks_of(folder: Path) -> list[Path]:
    """The block folders within a data folder, oldest first by creation."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if len(p.name) == _BLOCK_NAME_LENGTH and (p / "meta.json").is_file())


def short_lived() -> dict[str, str]:
    """Environment of short-lived Go programs with memory to spare: less collecting of garbage saves a sixth of their time."""
    return {**os.environ, "GOGC": "400"}


@contextmanager
def serving(prometheus: Path, data: Path, *options: str) -> Iterator[str]:
    """A Prometheus of its own over a data folder, scraping nothing; yields its address. It is gone when the context ends.

    Raises HistoryError when it does not become ready, takes no samples, or is gone before.
    """
    kept = ("--storage.tsdb.retention.time=10y", "--web.enable-admin-api")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="observatory-") as folder,
            running(prometheus, Path(folder), data, *kept, *options, environment=short_lived()) as url,
        ):
            yield url
    except Unreachable as error:
        raise HistoryError(str(error).removeprefix("error: ")) from None
    except requests.RequestException as problem:
        raise HistoryError(f"the Prometheus that writes history does not answer: {type(problem).__name__}") from None


@contextmanager
def writing(prometheus: Path, data: Path, part: Path, since: float) -> Iterator[Workshop]:
    """A server to write samples later than `since` to (seconds since the epoch), which sees the blocks of the folder `data`.

    When the context ends well, what was written is a block in `data`, which until then is as it was, or not there at all; in
    the folder `part` is what is made meanwhile. Raises HistoryError.
    """
    copy = part / "data"
    part.mkdir()
    if data.is_dir():
        shutil.copytree(data, copy, copy_function=linked)
    known = {block.name for block in blocks_of(copy)}
    for block in blocks_of(copy):
        _let_older_in(block / "meta.json", since)
    with serving(prometheus, copy, "--web.enable-remote-write-receiver", *_LENGTHS) as url:
        yield Workshop(url)
        made = _snapshot(url, copy)
    data.mkdir(exist_ok=True)
    for block in blocks_of(made):
        # Beside what was written, the server may have merged old blocks that overlap.
        if block.name not in known and _meta(block / "meta.json")["compaction"]["level"] == 1:
            block.rename(data / block.name)


def _let_older_in(meta: Path, since: float) -> None:
    """Where a Prometheus has lived on after `since`, its newest block would keep ours from being written."""
    content = _meta(meta)
    if content["maxTime"] > since * 1000:
        content["compaction"]["hints"] = [_OUT_OF_ORDER]
        meta.write_text(json.dumps(content), encoding="utf-8")


def _meta(meta: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(meta.read_text(encoding="utf-8"))
    return content


def _snapshot(url: str, data: Path) -> Path:
    """Lets a server write what it holds in memory as a block; the folder that holds it, and links to those that were there."""
    answer = requests.post(f"{url}/api/v1/admin/tsdb/snapshot", timeout=_SNAPSHOT_SECONDS)
    if answer.status_code != 200:
        raise HistoryError(f"Prometheus could not write its memory as a block: HTTP {answer.status_code}")
    return data / "snapshots" / str(answer.json()["data"]["name"])


def flush(prometheus: Path, data: Path) -> None:
    """Write what a stopped Prometheus still holds in its write-ahead log as a block.

    Prometheus drops logged samples that are older than its newest block; so before newer blocks are added, the log must
    have become a block itself.
    """
    if not (data / "wal").is_dir():
        return
    with serving(prometheus, data) as url:
        snapshot = _snapshot(url, data)
    have = {block.name for block in blocks_of(data)}
    for block in blocks_of(snapshot):
        if block.name not in have:
            block.rename(data / block.name)
    for left in ("snapshots", "wal", "chunks_head"):
        shutil.rmtree(data / left, ignore_errors=True)
