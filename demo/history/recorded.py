"""Recorded series of the past, level by level.

A rule that reads another rule's series finds them only when their past is being served, so the blocks of one level are loaded
before the next is asked for. Prometheus evaluates the rules of whole days at once; `promtool … rules` would ask for every rule
and every two hours, take three times as long, and leave a thousand blocks to be compacted.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import requests

from contract.settings import Settings
from contract.values import duration_seconds
from demo.history.blocks import WORKERS, HistoryError, Programs, blocks_of, import_file
from demo.history.openmetrics import BLOCK_SECONDS, FINE_SPAN_SECONDS
from demo.platform.exposition import label_text
from recording_rules.registry import added, groups, rule_expression

START_SECONDS = 60.0
QUERY_SECONDS = 120.0
FINE_SECONDS, COARSE_SECONDS = 60, 120
"""Recorded series have a point every minute in the last day and every two before; Prometheus looks back five minutes."""
_DAY_BLOCKS = 12


class Rule(NamedTuple):
    """A recorded series: its name, its PromQL, the labels that the rule gives to it, and seconds between its evaluations."""

    name: str
    expression: str
    added: dict[str, str]
    interval: float


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
                stdout=said, stderr=subprocess.STDOUT
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


def levels(settings: Settings) -> list[list[Rule]]:
    """The recorded series of every level, lowest first."""
    found: defaultdict[int, list[Rule]] = defaultdict(list)
    for group in groups(settings):
        seconds = duration_seconds(group.interval)
        found[group.level] += (Rule(rule.record, rule_expression(rule), added(rule), seconds) for rule in group.rules)
    return [found[level] for level in sorted(found)]


def record(
    settings: Settings,
    prometheus: Path,
    promtool: Path,
    data: Path,
    since: float,
    until: float,
    progress: Callable[[float], None],
) -> int:
    """Write the recorded series of (since, until] into the data folder and return the number of their samples.

    `progress` is told the share done, 0 to 1.
    """
    todo, spans = levels(settings), list(_spans(since, until))
    samples = 0
    with tempfile.TemporaryDirectory(prefix="recorded-", dir=data.parent) as folder, ThreadPoolExecutor(WORKERS) as asking:
        for level, rules in enumerate(todo):
            with serving(prometheus, data) as url, Programs() as programs:
                for number, span in enumerate(spans):
                    # While one answer is written down, Prometheus evaluates the next.
                    answers = asking.map(partial(_ask, url, span), rules)
                    blocks: defaultdict[int, list[str]] = defaultdict(list)
                    for rule, found in zip(rules, answers, strict=True):
                        samples += _write_down(rule, found, blocks)
                    for block, texts in blocks.items():
                        file = Path(folder, f"{level}-{number}-{block}.om")
                        file.write_text("".join((*texts, "# EOF\n")), encoding="utf-8")
                        import_file(programs, promtool, file, data)
                    progress((level + (number + 1) / len(spans)) / len(todo))
    return samples


class Span(NamedTuple):
    """First and last time and step of a question, in seconds."""

    start: int
    end: int
    step: int


def _spans(since: float, until: float) -> Iterator[Span]:
    """The questions for (since, until]; each ends with a block and covers a day at most."""
    fine_from = (until - FINE_SPAN_SECONDS) // BLOCK_SECONDS * BLOCK_SECONDS
    start = int(since) + 1
    while start <= until:
        block = start // BLOCK_SECONDS
        step = FINE_SECONDS if start >= fine_from else COARSE_SECONDS
        last = min((block + _DAY_BLOCKS) * BLOCK_SECONDS - 1, int(until))
        if start < fine_from <= last:
            last = int(fine_from) - 1
        if (first := -(-start // step) * step) <= last:
            yield Span(first, last, step)
        start = last + 1


def _ask(url: str, span: Span, rule: Rule) -> list[Any]:
    """What a rule would have recorded at every step of a span, or at every evaluation where these are further apart."""
    step = max(span.step, int(rule.interval))
    start = -(-span.start // step) * step
    if start > span.end:
        return []
    parameters: dict[str, str | int] = {"query": rule.expression, "start": start, "end": span.end, "step": step}
    answer = requests.get(f"{url}/api/v1/query_range", params=parameters, timeout=QUERY_SECONDS)
    found = json.loads(answer.content)
    if found["status"] != "success":
        raise HistoryError(f"the past of {rule.name} could not be evaluated: {found['error']}")
    return list(found["data"]["result"])


def _write_down(rule: Rule, found: list[Any], blocks: dict[int, list[str]]) -> int:
    """Add the lines of a rule's series to the blocks that they belong to; gives the number of samples."""
    samples = 0
    for series in found:
        carried = {label: value for label, value in series["metric"].items() if label != "__name__"}
        labels = tuple(sorted((carried | rule.added).items()))
        prefix, points, begin = f"{rule.name}{label_text(labels)} ", series["values"], 0
        while begin < len(points):
            block = int(points[begin][0] // BLOCK_SECONDS)
            end = bisect_left(points, (block + 1) * BLOCK_SECONDS, begin, key=itemgetter(0))
            blocks[block].append("".join([f"{prefix}{value} {at}\n" for at, value in points[begin:end]]))
            begin = end
        samples += len(points)
    return samples


def flush(prometheus: Path, data: Path) -> None:
    """Write what a stopped Prometheus still holds in its write-ahead log as a block.

    Prometheus drops logged samples that are older than its newest block; so before newer blocks are added, the log must
    have become a block itself.
    """
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
