"""The same platform several times over: without an incident, and with one of each kind, up to when it has passed.

All share their past, which is made once. The moment is fixed, so every run sees the same platform.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from contract.settings import Budget, Settings
from contract.slo import DEFAULTS
from demo.database.load import load
from demo.drill import rulebook
from demo.langfuse.store import Store
from demo.stack.prepare import Progress, Wanted, prepare
from demo.world import spec_file
from demo.world.model import Incident
from provisioning.rules.server import linked

ANCHOR = datetime(2024, 6, 12, 13, 0, tzinfo=UTC).timestamp()
"""A Wednesday near its busiest hour; with the seed below, one in which nothing else goes wrong."""
SCALE = 3.0
"""Large enough that single agents get the queries without which no alert on them speaks."""
BEGINS, LASTS, FOLLOWED = 5 * 60.0, 15 * 60.0, 45 * 60.0
"""Seconds: the incident begins so long after ANCHOR, lasts so long, and the platform is followed so long after ANCHOR."""

_MONEY = (slo.model_copy(update={"budget_usd": slo.budget_usd * SCALE}) if slo.budget_usd else slo for slo in DEFAULTS)
SETTINGS = Settings(budgets=(Budget(monthly_usd=Budget().monthly_usd * SCALE),), slo=tuple(_MONEY))
"""The defaults, with money for a platform of this size."""


@dataclass(frozen=True)
class Life:
    """Folder of a platform's state (with Prometheus' data in it), and its database. It has lived until `until`."""

    var: Path
    dsn: str
    until: float

    @property
    def metrics(self) -> Path:
        """Prometheus' data folder."""
        return self.var / "prometheus"


def past(var: Path, dsn: str) -> Life:
    """The platform up to ANCHOR, in an empty folder and an empty database. Raises what `prepare` raises."""
    var.mkdir(parents=True)
    spec = _wanted().new(ANCHOR - 3600)
    with closing(Store(var / "langfuse.sqlite")) as store:
        load(dsn, spec, store.insert, lambda _what, _share: None, until=ANCHOR, workers=1)
    spec_file.write(var / "world.json", spec)
    _live(var, dsn, ANCHOR)
    return Life(var, dsn, ANCHOR)


def go_on(before: Life, var: Path, dsn: str, kind: str | None) -> Life:
    """Goes on from `before` in a new folder, and in `dsn`, a copy of its database; with an incident unless `kind` is None."""
    shutil.copytree(before.var, var, copy_function=linked)
    if kind:
        spec = spec_file.read(var / "world.json")
        incident = Incident(kind, ANCHOR + BEGINS, ANCHOR + BEGINS + LASTS)
        spec_file.write(var / "world.json", replace(spec, incidents=(incident,)))
    _live(var, dsn, ANCHOR + FOLLOWED, whole=True)
    return Life(var, dsn, ANCHOR + FOLLOWED)


@cache
def _wanted() -> Wanted:
    """What is held against yesterday needs a whole hour of it, so the world is a day and an hour old at ANCHOR; nothing looks
    closely at what is older than two hours. Two series of three are for people who look at panels, and have no past here.
    """
    return Wanted(seed=13, scale=SCALE, days=1, history=25 / 24, fine=7200.0, only=rulebook.read(SETTINGS))


def _live(var: Path, dsn: str, until: float, **otherwise: Any) -> None:
    wanted = replace(_wanted(), **otherwise)
    prepare(var, dsn, SETTINGS, wanted, until, with_standin=True, progress=Progress(lambda _: None))
