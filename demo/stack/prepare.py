"""What has to be there before the parts start: a loaded database that has lived until now, and the history of the metrics.

Run as a program of its own by `up`, and once by the containers: `python -m demo prepare --help`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from contract.settings import Settings
from demo.database import schema
from demo.database.live import LiveDatabase
from demo.database.load import load
from demo.history import active
from demo.history.blocks import HistoryError
from demo.history.fill import Instances, fill
from demo.history.past import DAYS, Past
from demo.history.samples import FINE_SPAN_SECONDS
from demo.langfuse.store import Store
from demo.stack import counting, ledger
from demo.stack.failure import StackError
from demo.world import spec_file
from demo.world.model import Tuned, WorldSpec
from demo.world.observations import Observation, Score
from demo.world.rhythm import ahead_to_the_peak
from demo.world.tuning import PLANTED
from demo.world.world import World
from exporters.database.sessions import DatabaseDown, StatementRefused
from exporters.journal import QueryFailed, SourceDown
from provisioning import tools

HISTORY_FAILED = 1
"""Exit code when all but the history of the metrics is there."""

_MINUTE, _DAY = 60.0, 86400.0
_LONGEST_GAP = DAYS * _DAY
"""A world that was left alone for longer is made anew: nothing of its metrics would be seen any more."""


@dataclass(frozen=True)
class Wanted:
    """The world that a person asked for; None is what is there already, or the default.

    `history` is how many days of metrics Prometheus starts with, 0 for none; for `fine`, `whole` and `only` see Past. `busy`
    makes now the busiest time of the platform's week.
    """

    seed: int | None = None
    scale: float | None = None
    days: int | None = None
    fresh: bool = False
    history: float = DAYS
    fine: float = FINE_SPAN_SECONDS
    whole: bool = False
    only: Set[str] | None = None
    busy: bool = False

    def new(self, now: float) -> WorldSpec:
        anchor = now // _MINUTE * _MINUTE
        seed, days, scale = (
            default if given is None else given for given, default in ((self.seed, 1), (self.days, 90), (self.scale, 1.0))
        )
        ahead = ahead_to_the_peak(anchor) if self.busy else 0.0
        spec = WorldSpec(int(seed), anchor, int(days), float(scale), ahead=ahead)
        return replace(spec, settings=(Tuned(*PLANTED, spec.beginning),))

    def as_arguments(self) -> tuple[str, ...]:
        """The options of `prepare` that say the same."""
        given = (("--seed", self.seed), ("--scale", self.scale), ("--days", self.days))
        options = tuple(word for name, value in given if value is not None for word in (name, str(value)))
        flags = (word for word, given in (("--fresh", self.fresh), ("--busy", self.busy)) if given)
        return (*options, *flags, "--history", f"{self.history:g}", "--fine-hours", f"{self.fine / 3600:g}")

    def refuse_other(self, spec: WorldSpec, var: Path) -> None:
        """Raises StackError when the world that is there is not the one that was asked for."""
        for name, wanted in (("seed", self.seed), ("scale", self.scale), ("days", self.days)):
            if wanted is not None and wanted != getattr(spec, name):
                raise StackError(
                    f"{var} holds a world with {name} {getattr(spec, name)}, not {wanted}: "
                    "add --fresh to make it anew, or name another folder with --var",
                    exit_code=2,
                )
        if self.busy and not spec.ahead:
            raise StackError(
                f"{var} holds a world without --busy: add --fresh to make it anew, or leave --busy away", exit_code=2
            )


class Progress:
    """Writes a line at most every half second; the stack shows the last one."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._last = float("-inf")

    def __call__(self, what: str, share: float) -> None:
        if time.monotonic() - self._last >= 0.5 or share >= 1.0:
            self._last = time.monotonic()
            self._write(f"{what} {share:.0%}")


def prepare(
    var: Path, dsn: str, settings: Settings, wanted: Wanted, now: float, with_standin: bool, progress: Progress
) -> bool:
    """Brings the database, the stand-in's storage and Prometheus' data folder up to `now` (seconds since the epoch).

    False when there is no Prometheus to write history with. Raises StackError, HistoryError, psycopg.Error.
    """
    spec = _existing(var, dsn, wanted, now, with_standin)
    if spec is None:
        spec, until = _load(var, dsn, wanted, now, with_standin, progress)
    else:
        until = _catch_up(var, dsn, spec, now, with_standin, progress)
    _count(var, dsn, settings, until, with_standin, progress)
    if not wanted.history:
        return True
    prometheus = tools.find("prometheus")
    if prometheus is None:
        return False
    instances = Instances(settings.scrape.platform[0].address, settings.scrape.exporter[0])
    past = Past(wanted.history, wanted.fine, wanted.whole, wanted.only)
    fill(var, dsn, World(spec), settings, prometheus, instances, until, progress, past)
    return True


def _count(var: Path, dsn: str, settings: Settings, until: float, with_standin: bool, progress: Progress) -> None:
    """Schema `analytics` with everything that the exporter would have counted by now. The model calls are read beside the rest.

    Of a real Langfuse the exporter reads the past by itself, a little on each run.
    """
    progress("schema analytics", 0.0)
    # A life that ended long ago has its last minutes then, not now.
    minutes = f"{counting.MINUTE_HOURS + max(0.0, time.time() - until) / 3600:.0f} hours"
    try:
        mapping = counting.install(dsn, settings)
        with ThreadPoolExecutor(1) as beside:
            reading = with_standin and settings.sources.langfuse.mode != "metrics"
            calls = beside.submit(ledger.fill, dsn, var / "langfuse.sqlite", settings, until, progress) if reading else None
            counting.count(dsn, mapping, progress, minutes)
            if calls:
                calls.result()
        counting.finish(dsn, settings, mapping, active.before(dsn, until), minutes)
    except (DatabaseDown, StatementRefused, SourceDown, QueryFailed) as error:
        raise StackError(f"what is there could not be counted: {error}") from None


def _existing(var: Path, dsn: str, wanted: Wanted, now: float, with_standin: bool) -> WorldSpec | None:
    """The world to go on with; None when it has to be made, for it is not there, not whole, or too long ago."""
    with psycopg.connect(dsn) as connection:
        try:
            mark = schema.read_mark(connection)
        except schema.ForeignSchema as error:
            raise StackError(str(error), exit_code=2) from None
    if wanted.fresh or mark is None or mark.loaded_until is None or now - mark.loaded_until > _LONGEST_GAP:
        return None
    if with_standin and not (var / "langfuse.sqlite").is_file():
        return None
    try:
        spec = spec_file.read(var / "world.json")
    except (FileNotFoundError, spec_file.SpecError):
        return None
    if spec.born != mark.spec.born:
        return None
    wanted.refuse_other(spec, var)
    return spec


def _load(var: Path, dsn: str, wanted: Wanted, now: float, with_standin: bool, progress: Progress) -> tuple[WorldSpec, float]:
    for leftover in ("world.json", "platform.json", "langfuse.sqlite", "langfuse.sqlite-wal", "langfuse.sqlite-shm"):
        (var / leftover).unlink(missing_ok=True)
    shutil.rmtree(var / "prometheus", ignore_errors=True)
    spec = wanted.new(now)
    counting.remove(dsn)
    store = Store(var / "langfuse.sqlite") if with_standin else None
    try:
        load(dsn, spec, store.insert if store else _forget, progress)
    finally:
        if store:
            store.close()
    spec_file.write(var / "world.json", spec)
    return spec, spec.anchor


def _catch_up(var: Path, dsn: str, spec: WorldSpec, now: float, with_standin: bool, progress: Progress) -> float:
    until = now // _MINUTE * _MINUTE
    live = LiveDatabase(dsn, World(spec))
    store = Store(var / "langfuse.sqlite") if with_standin else None
    try:
        live.catch_up(live.loaded_until, until, store.insert if store else None, progress)
        return max(until, live.loaded_until)
    finally:
        live.close()
        if store:
            store.close()


def _forget(_observations: list[Observation], _scores: list[Score]) -> None:
    """Where a real Langfuse is asked, nobody keeps the stand-in's rows."""


__all__ = ["HISTORY_FAILED", "HistoryError", "Progress", "Wanted", "prepare"]
