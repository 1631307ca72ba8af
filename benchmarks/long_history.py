"""The history that tabs are measured against: 200 agents for a day as scraped, and recorded series for 35 days. Kept.

About 20,000 scraped series every 15 s, and every recorded series that a panel reads every 5 minutes.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from benchmarks.program import ProgramError
from benchmarks.rule_load import Load
from benchmarks.run import Run
from contract.catalogue import series_catalogue
from contract.settings import Settings
from dashboards.catalogue import TABS
from dashboards.lib.describe import read_series
from provisioning.rules.built import Labels
from provisioning.rules.server import Workshop, serving
from provisioning.rules.wire import body, encoded, time_series
from recording_rules import registry

_BLOCK = "80d"
"""So long that samples may be 40 days older than the newest."""
_STEP = 300
_AT_ONCE = 100
_SHAPES = 8
_WRITABLE = ("--web.enable-remote-write-receiver", "--web.enable-admin-api")
_JOINED_WITHIN = 900


@contextmanager
def history(run: Run, until: float, settings: Settings) -> Iterator[str]:
    """Address of a Prometheus over the history that ends at `until`."""
    folder = run.folder / f"history_{run.scale.agents}_{int(until)}"
    whole = folder / "whole"
    if not whole.exists():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "server").mkdir(parents=True)
        _write(run, folder, until, settings)
        whole.touch()
    _complete(run, folder, until, settings)
    with serving(folder, folder / "data", block=_BLOCK) as url:
        yield url


def _read(settings: Settings) -> set[str]:
    """The recorded series that panels read."""
    return {name for tab in TABS for panel in tab.panels(settings) for name in read_series(q.text for q in panel.targets)}


def _write(run: Run, folder: Path, until: float, settings: Settings) -> None:
    """Writes all samples into a server of its own, and keeps the blocks of a snapshot: they are open at once."""
    with serving(folder / "server", folder / "server" / "data", *_WRITABLE, block=_BLOCK) as url:
        server = Workshop(url)
        load = Load(run.scale.agents, until, run.scale.scraped_hours * 3600, 0, lean=True)
        load.write(server, set(series_catalogue()))
        run.say(f"history: {load.series:,} scraped series, {load.samples:,} samples")
        _record(run, server, server, until, until, settings)
        shutil.move(_snapshot(server, folder / "server" / "data"), folder / "data")
    shutil.rmtree(folder / "server")


def _complete(run: Run, folder: Path, until: float, settings: Settings) -> None:
    """Adds what rules record that came after the history was made. Prometheus takes nothing older than its newest block."""
    kept, later = folder / "data", folder / "later"
    shutil.rmtree(later, ignore_errors=True)
    later.mkdir()
    with (
        serving(folder, kept, *_WRITABLE, block=_BLOCK) as url,
        serving(later, later / "data", *_WRITABLE, block=_BLOCK) as new,
    ):
        if not _record(run, Workshop(url), Workshop(new), until, until + 1, settings):
            return
        blocks = _snapshot(Workshop(new), later / "data")
    for block in blocks.iterdir():
        if (block / "meta.json").exists():
            shutil.move(block, kept / block.name)
    shutil.rmtree(later)
    with serving(folder, kept, block=_BLOCK):  # joins blocks of the same time, a minute after it was started
        limit = time.monotonic() + _JOINED_WITHIN
        while len(list(kept.glob("*/meta.json"))) > 1:
            if time.monotonic() > limit:
                raise ProgramError(f"Prometheus does not join the blocks in {kept} within {_JOINED_WITHIN} s")
            time.sleep(1)


def _snapshot(server: Workshop, data: Path) -> Path:
    answer = requests.post(f"{server.url}/api/v1/admin/tsdb/snapshot", timeout=600).json()
    if answer.get("status") != "success":
        raise ProgramError(f"Prometheus keeps no snapshot: {answer.get('error')}")
    return data / "snapshots" / str(answer["data"]["name"])


def _record(run: Run, server: Workshop, kept: Workshop, until: float, at: float, settings: Settings) -> int:
    """Writes what is not recorded yet into `kept`, labelled as its rule does on `server` at a moment; gives how many series.

    What panels read is there for all of the time until `until`; what only later rules read is on `server`, at the moment.
    """
    read = _read(settings)
    span = run.scale.recorded_days * 86400
    times = [until - span + _STEP * number for number in range(span // _STEP + 1)]
    shapes = [
        encoded((moment, 1.0 + (number + shape) % 7 / 10) for number, moment in enumerate(times)) for shape in range(_SHAPES)
    ]
    known = {
        str(one["metric"]["__name__"]) for one in server.instant('group by (__name__) ({__name__=~".+:.+"})', until)["result"]
    }
    groups: list[Any] = [*registry.rule_groups(settings)]
    written = 0
    for rule in (rule for group in groups for rule in group["rules"] if rule["record"] not in known):
        found = server.instant(str(rule["expr"]), at)["result"]
        labels = [{**one["metric"], **rule.get("labels", {})} for one in found]
        sets = [tuple(sorted((key, value) for key, value in one.items() if key != "__name__")) for one in labels]
        if rule["record"] in read:
            _send(kept, rule["record"], sets, shapes)
            written += len(sets)
        if rule["record"] not in read or kept is not server:
            _send(server, rule["record"], sets, [encoded([(at, 1.0)])])
    if written:
        run.say(f"history: {written:,} recorded series, {written * len(times):,} samples")
    return written


def _send(server: Workshop, name: str, sets: Sequence[Labels], samples: Sequence[bytes]) -> None:
    for begin in range(0, len(sets), _AT_ONCE):
        some = enumerate(sets[begin : begin + _AT_ONCE])
        server.send(body(time_series(name, one, samples[n % len(samples)]) for n, one in some))
