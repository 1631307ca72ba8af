"""Are our answers those of plain SQL over the tables themselves?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import psycopg

from benchmarks import data, ours, raw
from benchmarks.measure import Bar, Measure
from benchmarks.percentiles import Percentiles
from benchmarks.questions import QUESTIONS, Question
from benchmarks.raw import Answer
from benchmarks.run import Run
from exporters.snapshot import Distribution, Figure


def measure(run: Run) -> Iterator[Measure]:
    """Counts and sums must be equal, means and sums of fractions to the last digits, percentiles in their bucket."""
    name, _ = data.template(run.dsn(), run.scale.small, run.say)
    with data.copy_of(run.dsn(), name) as dsn:
        ours.install(dsn)
        with ours.counting(dsn) as counting, psycopg.connect(dsn, autocommit=True) as connection:
            counting.backfill()
            for cycle in range(run.scale.cycles):
                raw.arrive(connection, run.scale.arrivals, cycle, datetime.now(UTC))
                counting.advance()
        differing = unequal(dsn, datetime.now(UTC))
    for line in differing:
        run.say(line)
    yield Measure(f"of {len(QUESTIONS)} answers differ from plain SQL", len(differing), "", Bar(0))


def unequal(dsn: str, now: datetime) -> list[str]:
    """One line for every question whose answer differs, asked of both at `now`."""
    figures = {}
    for collector in ours.collectors(dsn, ("rollups", "postgres")):
        collector.collect(now.timestamp())
        figures.update(_by_labels(collector.snapshot.samples(now.timestamp(), math.inf) if collector.snapshot else ()))
    lines = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        buckets = Percentiles(connection).read(now)
        for question in QUESTIONS:
            theirs, _ = raw.ask(connection, question, now)
            given = _given(question, figures) if question.metric else buckets[question.name]
            lines += [f"{question.name}: {difference}" for difference in _differences(theirs, given)[:1]]
    return lines


def _by_labels(figures: Iterable[Figure]) -> dict[tuple[str, frozenset[tuple[str, str]]], Figure]:
    return {(item.metric.name, frozenset(zip(item.metric.labels, item.labels, strict=True))): item for item in figures}


def _given(question: Question, figures: dict[tuple[str, frozenset[tuple[str, str]]], Figure]) -> Answer:
    """Our figures in the form of the question's answer. What plain SQL has no row for is left out: our zeros."""
    answer: Answer = {}
    names = [name for name in question.labels if name != "le"]
    for (metric, labels), figure in figures.items():
        if metric != question.metric or not labels.issuperset(question.fixed):
            continue
        values = dict(labels)
        key = tuple(values[name] for name in names)
        if isinstance(figure, Distribution):
            answer |= {(*key, str(place)): (count,) for place, count in enumerate(figure.buckets) if count}
            answer[*key, "sum"] = (figure.sum,)
        elif figure.value:
            answer[key] = (figure.value,)
    return answer


def _differences(theirs: Answer, given: Answer) -> list[str]:
    if any("sum" in key for key in given):
        theirs = _with_sums(theirs)
    theirs = {key: values for key, values in theirs.items() if any(values)}
    return [
        f"{key or 'all'}: plain SQL {theirs.get(key)}, ours {given.get(key)}"
        for key in sorted(theirs.keys() | given.keys())
        if not _same(theirs.get(key, ()), given.get(key, ()))
    ]


def _with_sums(buckets: Answer) -> Answer:
    """A histogram asked by bucket, each with its sum, as counts by bucket and one sum."""
    answer: Answer = {}
    for (*labels, le), (count, total) in buckets.items():
        answer[*labels, le] = (count,)
        answer[*labels, "sum"] = (answer.get((*labels, "sum"), (0.0,))[0] + total,)
    return answer


def _same(theirs: tuple[object, ...], given: tuple[object, ...]) -> bool:
    """Whole numbers must be equal; fractions were added in another order, so their last digits may differ."""
    return len(theirs) == len(given) and all(
        math.isclose(float(str(a)), float(str(b)), rel_tol=0.0 if isinstance(a, int) else 1e-9)
        for a, b in zip(theirs, given, strict=True)
    )
