"""What rules cost a Prometheus on one core, and what the same questions cost without recorded series."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
import yaml

from alert_rules import rules as alerting
from benchmarks.measure import Bar, Measure
from benchmarks.program import ProgramError
from benchmarks.rule_load import BACK, STEP, Load
from benchmarks.run import Run
from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.findings import InputError, Unreachable
from provisioning.rules.built import from_groups
from provisioning.rules.plan import Readings
from provisioning.rules.server import Workshop, serving
from provisioning.rules.wire import body, encoded, time_series
from recording_rules import registry
from recording_rules.model import RecordedSignal

_BAR = Bar(10.0)
_EVALUATIONS = 3
_SELDOM = 120.0
"""Seconds between evaluations that nobody measures: the latest value of a recorded series counts for five minutes."""
_PATIENCE = 300.0
_BLOCK = "80d"
"""So long that samples may be 40 days older than the newest."""
_LONGEST_PAST = 30 * 86400.0
_PAST_STEP = 300.0


def measure(run: Run) -> Iterator[Measure]:
    """Evaluation time of every group against its interval; then figures asked of recorded series and of scraped ones."""
    settings = Settings()
    groups: list[dict[str, Any]] = [*registry.rule_groups(settings), *alerting.rule_groups(settings)]
    readings = Readings(from_groups("the default rules", groups))
    options = ("--web.enable-remote-write-receiver", "--web.enable-lifecycle")
    try:
        with TemporaryDirectory(dir=run.folder, prefix="rules-") as name:
            folder = Path(name)
            with serving(folder, folder / "data", *options, block=_BLOCK, cores=1) as url:
                server = Workshop(url)
                yield from _measured(run, server, folder, groups, readings, settings)
    except (InputError, Unreachable) as problem:
        raise ProgramError(str(problem)) from None


def _measured(
    run: Run, server: Workshop, folder: Path, groups: list[dict[str, Any]], readings: Readings, settings: Settings
) -> Iterator[Measure]:
    now = time.time()
    load = Load(run.scale.agents, now, lean=run.scale.lean)
    load.write(server, {read.name for reads in readings.of.values() for read in reads})
    run.say(f"{load.series:,} series, {load.samples:,} samples")
    past = _past(server, readings, now)
    run.say(f"{past:,} samples of recorded series, for windows beyond an hour")
    _load_rules(server, folder, groups, run.scale.evaluated_every)
    durations = _evaluated(server, len(groups))
    _load_rules(server, folder, groups, _SELDOM)  # a question does not share the core with all rules
    total = 0.0
    for group in groups:
        interval, spent = duration_seconds(str(group["interval"])), durations[str(group["name"])]
        samples = sum(_cost(server, str(rule["expr"]))[1] for rule in group["rules"])
        seconds = statistics.median(spent)
        total += seconds / interval
        rules = f"{len(group['rules'])} rules, every {group['interval']}"
        what = f"{group['name']}: {rules}, {seconds * 1e3:.3g} ms, {samples:,} samples"
        shares = [100 * one / interval for one in spent]
        yield Measure(what, 100 * seconds / interval, "%", _BAR, spread=(min(shares), max(shares)))
    yield Measure(f"all {len(groups)} groups together", 100 * total, "%")
    yield from _questions(server, settings)


def _past(server: Workshop, readings: Readings, now: float) -> int:
    """Writes a past of the recorded series that rules look back at for longer than the hour there is; its number of samples."""
    reach: defaultdict[str, float] = defaultdict(float)
    for reads in readings.of.values():
        for read in reads:
            if read.name in readings.by_name and read.reach > BACK + 600:
                reach[read.name] = min(max(reach[read.name], read.reach), _LONGEST_PAST)
    written = 0
    for name, seconds in sorted(reach.items()):
        for rule in readings.by_name[name]:
            step = max(_PAST_STEP, rule.interval)
            times = [now - seconds + step * number for number in range(int(seconds / step))]
            samples = encoded((at, 1.0 + number % 5 / 10) for number, at in enumerate(times))
            labels = [dict(one["metric"]) | dict(rule.labels) for one in _ask(server, rule.expression)["result"]]
            sets = [tuple(sorted((k, v) for k, v in one.items() if k != "__name__")) for one in labels]
            for begin in range(0, len(sets), 100):
                server.send(body(time_series(name, one, samples) for one in sets[begin : begin + 100]))
            written += len(sets) * len(times)
    return written


def _load_rules(server: Workshop, folder: Path, groups: Sequence[dict[str, Any]], every: float) -> None:
    """Lets the server evaluate all groups every so many seconds: it costs the same, and slow ones need not be waited for."""
    quick = [group | {"interval": f"{every:g}s"} for group in groups]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": quick}, sort_keys=False), encoding="utf-8")
    (folder / "prometheus.yml").write_text("rule_files: [rules.yml]\n", encoding="utf-8")
    answer = requests.post(f"{server.url}/-/reload", timeout=60)
    if answer.status_code != 200:
        raise ProgramError(f"Prometheus does not take the rules: {answer.text.strip()}")


def _evaluated(server: Workshop, groups: int) -> dict[str, list[float]]:
    """How long the latest evaluations of every group took, in seconds, as Prometheus says; the first is left out."""
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        for group in server.groups():
            if not group["lastEvaluation"].startswith("0001"):
                found[group["name"]][group["lastEvaluation"]] = float(group["evaluationTime"])
        if len(found) == groups and all(len(one) > _EVALUATIONS for one in found.values()):
            return {name: list(one.values())[1:] for name, one in found.items()}
        time.sleep(2.0)
    raise ProgramError(f"Prometheus did not evaluate every group {_EVALUATIONS + 1} times within {_PATIENCE:g} s")


def _questions(server: Workshop, settings: Settings) -> Iterator[Measure]:
    """Every recorded figure, asked of its series, and worked out from the scraped ones."""
    recorded, raw = [], []
    for group in registry.groups(settings):
        for rule in group.rules:
            if isinstance(rule, RecordedSignal):
                recorded.append(_cost(server, rule.record))
                raw.append(_cost(server, rule.signal.expression(rule.all_labels, rule.window)))
    what = f"{len(recorded)} recorded figures, asked once"
    ours, theirs = (sum(seconds for seconds, _ in costs) * 1e3 for costs in (recorded, raw))
    yield Measure(what, ours, "ms", peer=theirs, against="from scraped series")
    ours, theirs = (float(sum(samples for _, samples in costs)) for costs in (recorded, raw))
    yield Measure(f"{what}: samples read", ours, "", peer=theirs, against="from scraped series")


def _cost(server: Workshop, expression: str) -> tuple[float, int]:
    """Seconds and samples of a question, as Prometheus counts them."""
    stats = _ask(server, expression)["stats"]
    return float(stats["timings"]["execTotalTime"]), int(stats["samples"]["totalQueryableSamples"])


def _ask(server: Workshop, expression: str) -> Any:
    return server.instant(expression, time.time() // STEP * STEP)
