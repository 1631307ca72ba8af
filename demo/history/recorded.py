"""Recorded series of the past, level by level.

A rule that reads another rule's series finds them only when their past is being served, so the blocks of one level are loaded
before the next is asked for. Prometheus evaluates the rules of days at once; `promtool … rules` would ask for every rule and
every two hours, take three times as long, and leave a thousand blocks to be compacted.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import requests

from contract.settings import Settings
from contract.values import duration_seconds
from demo.history.blocks import WORKERS, HistoryError, Programs, blocks_of, import_file, short_lived
from demo.history.openmetrics import BLOCK_SECONDS
from demo.platform.exposition import label_text
from recording_rules.registry import added, groups, rule_expression

START_SECONDS = 60.0
QUERY_SECONDS = 120.0
FINE_SECONDS, COARSE_SECONDS = 60, 300
"""Recorded series have a point every minute in the newest past, and before as often as Prometheus looks back, which is also
when the long windows of service levels look at them. Rules that are evaluated more rarely than every minute have all points."""
SPAN_SECONDS = 27 * BLOCK_SECONDS
"""How much time one question, one file and one block cover at most: Prometheus merges blocks by threes."""


class Rule(NamedTuple):
    """A recorded series: its name, its PromQL, the labels that the rule gives to it, and seconds between its evaluations."""

    name: str
    expression: str
    added: dict[str, str]
    interval: int


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
                stdout=said, stderr=subprocess.STDOUT, env=short_lived()
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
        interval = int(duration_seconds(group.interval))
        found[group.level] += (Rule(rule.record, rule_expression(rule), added(rule), interval) for rule in group.rules)
    return [found[level] for level in sorted(found)]


def record(
    settings: Settings,
    prometheus: Path,
    promtool: Path,
    data: Path,
    since: float,
    until: float,
    fine: float,
    progress: Callable[[float], None],
    keeps: Callable[[str], bool],
) -> int:
    """Write the recorded series of (since, until] into the data folder and return the number of their samples.

    The newest past is that of the last `fine` seconds. `progress` is told the share done, 0 to 1. `keeps` is asked with the
    name of each series whether it is wanted.
    """
    todo = [kept for rules in levels(settings) if (kept := [rule for rule in rules if keeps(rule.name)])]
    spans = list(_spans(int(since), int(until)))
    fine_from = int(until - fine) // BLOCK_SECONDS * BLOCK_SECONDS
    samples = 0
    with tempfile.TemporaryDirectory(prefix="recorded-", dir=data.parent) as folder, ThreadPoolExecutor(WORKERS) as asking:
        for level, rules in enumerate(todo):
            with serving(prometheus, data) as url, requests.Session() as session, Programs() as programs:
                ask = partial(_ask, session, url)
                for number, (after, last) in enumerate(spans):
                    questions = [question for rule in rules for question in _questions(rule, after, last, fine_from)]
                    file = Path(folder, f"{level}-{number}.om")
                    with file.open("w", encoding="utf-8") as lines:
                        # While one answer is written down, Prometheus evaluates the next.
                        for question, found in zip(questions, asking.map(ask, questions), strict=True):
                            samples += _write_down(question.rule, found, lines)
                        lines.write("# EOF\n")
                    import_file(programs, promtool, file, data, SPAN_SECONDS)
                    progress((level + (number + 1) / len(spans)) / len(todo))
    return samples


class Question(NamedTuple):
    """What a rule recorded from `start` to `end`, both included, every `step` seconds."""

    rule: Rule
    start: int
    end: int
    step: int


def _spans(since: int, until: int) -> Iterator[tuple[int, int]]:
    """(since, until] cut where blocks end: after which second each part begins, and its last one."""
    while since < until:
        last = min(((since + 1) // SPAN_SECONDS + 1) * SPAN_SECONDS - 1, until)
        yield since, last
        since = last


def _questions(rule: Rule, after: int, last: int, fine_from: int) -> Iterator[Question]:
    """The questions for a rule's points in (after, last]: one for what is older than `fine_from`, and one for the rest."""
    steps = (rule.interval,) * 2 if rule.interval > FINE_SECONDS else (COARSE_SECONDS, FINE_SECONDS)
    parts = ((after, min(last, fine_from - 1)), (max(after, fine_from - 1), last))
    for (begin, end), step in zip(parts, steps, strict=True):
        if (first := (begin // step + 1) * step) <= end:
            yield Question(rule, first, end, step)


def _ask(session: requests.Session, url: str, question: Question) -> list[Any]:
    """The series of a rule's past."""
    rule, start, end, step = question
    parameters: dict[str, str | int] = {"query": rule.expression, "start": start, "end": end, "step": step}
    answer = session.get(f"{url}/api/v1/query_range", params=parameters, timeout=QUERY_SECONDS)
    found = json.loads(answer.content)
    if found["status"] != "success":
        raise HistoryError(f"the past of {rule.name} could not be evaluated: {found['error']}")
    return list(found["data"]["result"])


def _write_down(rule: Rule, found: list[Any], file: TextIO) -> int:
    """Write the lines of a rule's series; gives the number of samples."""
    samples = 0
    for series in found:
        carried = {label: value for label, value in series["metric"].items() if label != "__name__"}
        labels = tuple(sorted((carried | rule.added).items()))
        prefix = f"{rule.name}{label_text(labels)} "
        file.write("".join([f"{prefix}{value} {at}\n" for at, value in series["values"]]))
        samples += len(series["values"])
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
