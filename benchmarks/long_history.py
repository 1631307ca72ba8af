"""The history that tabs are measured against: 200 agents for a day as scraped, and recorded series for 35 days. Kept.

About 20,000 scraped series every 15 s, and every recorded series that a panel reads every 5 minutes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
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
from provisioning.rules.server import Workshop, serving
from provisioning.rules.wire import body, encoded, time_series
from recording_rules import registry

_BLOCK = "80d"
"""So long that samples may be 40 days older than the newest."""
_STEP = 300
_AT_ONCE = 100
_SHAPES = 8


@contextmanager
def history(run: Run, until: float, settings: Settings) -> Iterator[str]:
    """Address of a Prometheus over the history that ends at `until`."""
    folder = run.folder / f"history_{run.scale.agents}_{int(until)}"
    whole, read = folder / "whole", "\n".join(sorted(_read(settings)))
    if not whole.exists():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "server").mkdir(parents=True)
        _write(run, folder, until, settings)
        whole.write_text(read)
    elif missing := set(read.splitlines()) - set(whole.read_text().splitlines()):
        run.say(f"history: made before {', '.join(sorted(missing))} were recorded; remove {folder} to have them measured")
    with serving(folder, folder / "data", block=_BLOCK) as url:
        yield url


def _read(settings: Settings) -> set[str]:
    """The recorded series that panels read."""
    return {name for tab in TABS for panel in tab.panels(settings) for name in read_series(q.text for q in panel.targets)}


def _write(run: Run, folder: Path, until: float, settings: Settings) -> None:
    """Writes all samples into a server of its own, and keeps the blocks of a snapshot: they are open at once."""
    options = ("--web.enable-remote-write-receiver", "--web.enable-admin-api")
    with serving(folder / "server", folder / "server" / "data", *options, block=_BLOCK) as url:
        server = Workshop(url)
        load = Load(run.scale.agents, until, run.scale.scraped_hours * 3600, 0, lean=True)
        load.write(server, set(series_catalogue()))
        run.say(f"history: {load.series:,} scraped series, {load.samples:,} samples")
        series, samples = _recorded(server, until, run.scale.recorded_days * 86400, settings)
        run.say(f"history: {series:,} recorded series, {samples:,} samples")
        answer = requests.post(f"{url}/api/v1/admin/tsdb/snapshot", timeout=600).json()
        if answer.get("status") != "success":
            raise ProgramError(f"Prometheus keeps no snapshot: {answer.get('error')}")
        shutil.move(folder / "server" / "data" / "snapshots" / answer["data"]["name"], folder / "data")
    shutil.rmtree(folder / "server")


def _recorded(server: Workshop, until: float, span: int, settings: Settings) -> tuple[int, int]:
    """Every recorded series that panels read, with the labels that its rule gives now: how many series and samples."""
    read = _read(settings)
    times = [until - span + _STEP * number for number in range(span // _STEP + 1)]
    shapes = [encoded((at, 1.0 + (number + shape) % 7 / 10) for number, at in enumerate(times)) for shape in range(_SHAPES)]
    groups: list[Any] = [*registry.rule_groups(settings)]
    rules: list[dict[str, Any]] = [rule for group in groups for rule in group["rules"]]
    written = 0
    for rule in rules:
        found = server.instant(str(rule["expr"]), until)["result"]
        labels = [{**one["metric"], **rule.get("labels", {})} for one in found]
        sets = [tuple(sorted((key, value) for key, value in one.items() if key != "__name__")) for one in labels]
        # What later rules read is there for this moment; what panels read is there for all of the time.
        samples = shapes if rule["record"] in read else [encoded([(until, 1.0)])]
        for begin in range(0, len(sets), _AT_ONCE):
            some = enumerate(sets[begin : begin + _AT_ONCE])
            server.send(body(time_series(str(rule["record"]), one, samples[n % len(samples)]) for n, one in some))
        written += len(sets) if rule["record"] in read else 0
    return written, written * len(times)
