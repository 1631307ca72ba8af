"""`observatory rules backtest`: the builds, the source of history, the window, and what is said meanwhile."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from provisioning.findings import InputError, closest
from provisioning.rules.built import Build, read
from provisioning.rules.history import History
from provisioning.rules.plan import Window
from provisioning.rules.replay import Progress, replay
from provisioning.rules.report import Report
from provisioning.rules.server import newest, oldest, over

DAY = 86400.0


def backtest(
    folder: Path, against: Path | None, source: str | Path, days: float, until: float | None, only: tuple[str, ...]
) -> Report:
    """Replays the alerts of a build, or those called `only`, over the last `days` of history.

    `source` is the address of a Prometheus or a data folder; `until` (seconds since the epoch) is now or, of a folder, the
    newest sample. Raises InputError and Unreachable.
    """
    builds = [read(one) for one in (folder, against) if one is not None]
    known = {rule.alert for build in builds for rule in build.alerting}
    for name in only:
        if name not in known:
            raise InputError(f"error: --alert: there is no alert {name}; {closest(name, known) or 'the build has many others'}")
    with _history(source) as history:
        history.ready()
        end = until or (time.time() if isinstance(source, str) else newest(source, history))
        window, first = Window(end - days * DAY, end), 0.0 if isinstance(source, str) else oldest(source)
        return Report(*[replay(build.only(only), history, window, _progress(build), first) for build in builds])


def _history(source: str | Path) -> AbstractContextManager[History]:
    return nullcontext(History(source)) if isinstance(source, str) else over(source)


def _progress(build: Build) -> Progress:
    """Tells on the error output how far it is: in one line on a screen, else at every quarter."""
    told = -1.0
    screen = sys.stderr.isatty()

    def tell(share: float) -> None:
        nonlocal told
        if share - told < (0.01 if screen else 0.25) and share < 1.0:
            return
        told = share
        end = "\n" if share >= 1.0 or not screen else "\r"
        print(f"replaying {build.place}: {share:.0%}", end=end, file=sys.stderr, flush=True)

    return tell
