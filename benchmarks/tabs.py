"""How long tabs take to open: all queries as a browser sends them, six at a time, and the same from scraped series."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import patch

from benchmarks import reference
from benchmarks.long_history import history
from benchmarks.measure import Bar, Measure
from benchmarks.program import ProgramError
from benchmarks.run import Run
from contract.settings import Settings
from dashboards.catalogue import TABS
from dashboards.lib.tab import Tab
from provisioning.boards import Query
from provisioning.doctor import subjects
from provisioning.doctor.asker import Asker
from provisioning.doctor.postgres import Postgres, SqlError
from provisioning.doctor.prometheus import Prometheus, QueryError
from provisioning.findings import InputError, Unreachable
from provisioning.interpolation import Span
from recording_rules import registry

Asked = tuple[Query, str, Span]
"""A query, its text as Grafana would send it, and its range."""

_AT_ONCE = 6
_GIVEN_UP = ("timed out", "took longer", "in time")
"""What the sources say of a query that they ended after 15 s."""
_WHOLE, _EACH = Bar(2000.0), Bar(200.0)


def measure(run: Run) -> Iterator[Measure]:
    """Each tab as it opens, and its slowest query, those of folded rows included."""
    settings = Settings()
    until = reference.moment(run.folder, time.time())
    try:
        dsn = reference.database(run, until)
        with history(run, until, settings) as url:
            here = Settings.model_validate({"sources": {"prometheus": {"url": url}}})
            asker = replace(Asker.of(here), postgres=Postgres(dsn, "the reference database"))
            for tab in (tab for tab in TABS if not run.tabs or tab.key in run.tabs):
                run.say(f"tab {tab.key}")
                yield from _of_tab(tab, settings, asker, until, run.scale.repeat)
    except (InputError, Unreachable) as problem:
        raise ProgramError(str(problem)) from None


def _of_tab(tab: Tab, settings: Settings, asker: Asker, until: float, repeat: int) -> Iterator[Measure]:
    opened, folded = _questions(tab, settings, asker, until)
    with patch.object(registry, "_rates", dict), patch.object(registry, "_figures", dict):
        scraped, _ = _questions(tab, settings, asker, until)
    whole = [_seconds(opened, asker) for _ in range(repeat)]
    peer = _seconds(scraped, asker)
    yield Measure(
        f"{tab.key}: {len(opened)} queries when it is opened", statistics.median(whole) * 1e3, "ms", _WHOLE, peer * 1e3,
        "from scraped series", (min(whole) * 1e3, max(whole) * 1e3),
    )  # fmt: skip
    taken = {key: statistics.median(_once(asked, asker) for _ in range(repeat)) for key, asked in {**opened, **folded}.items()}
    slowest = max(taken, key=taken.__getitem__)
    yield Measure(f"{tab.key}: slowest of all {len(taken)}, {slowest}", taken[slowest] * 1e3, "ms", _EACH)


def _questions(tab: Tab, settings: Settings, asker: Asker, until: float) -> tuple[dict[str, Asked], dict[str, Asked]]:
    """The queries that the open tab sends, and those of its folded rows, by panel and place."""
    folded = {f"{tab.key}/{panel.name}" for row in tab.all_rows(settings) if row.collapsed for panel in row.panels}
    opened: dict[str, Asked] = {}
    later: dict[str, Asked] = {}
    for subject in subjects.of_tab(tab, settings, asker, until):
        for number, query in enumerate(subject.queries):
            asked = (query, asker.filled(query, subject.span, subject.choices), subject.span)
            (later if subject.key in folded else opened)[f"{subject.key} {chr(65 + number)}"] = asked
    return opened, later


def _seconds(questions: Mapping[str, Asked], asker: Asker) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        _drained(pool.map(lambda asked: _once(asked, asker), questions.values()))
    return time.perf_counter() - began


def _once(asked: Asked, asker: Asker) -> float:
    began = time.perf_counter()
    query, text, span = asked
    # One that gave no answer in time must not speak for those after it.
    asker = replace(asker, prometheus=Prometheus(asker.prometheus.url))
    try:
        asker.rows(query, text, span)
    except (QueryError, SqlError, Unreachable) as problem:
        if not any(words in str(problem) for words in _GIVEN_UP):  # then it is that slow, and stands so in the table
            raise ProgramError(f"{query.place}: {problem}") from None
    return time.perf_counter() - began


def _drained(results: Iterable[float]) -> None:
    for _ in results:
        pass
