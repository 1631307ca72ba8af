"""Percentiles of durations from the roll-ups, each as the bucket in which it lies.

A dashboard asks Prometheus for them, which keeps the histograms; here they are worked out as the exporter does it with other
windows: what is folded is read again only when the windows move on or something was folded, and what is not folded is not asked
for where the collector that counts has just read it.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours

from __future__ import annotations

import math
from collections import defaultdict
from datetime import datetime
from itertools import accumulate
from operator import add
from typing import Any

import psycopg

from benchmarks.questions import QUESTIONS, Question
from benchmarks.raw import Answer
from contract.buckets import AGENT
from exporters.rollups.fresh import Fresh, Latest
from exporters.rollups.model import HISTOGRAM_COLUMNS, SEPARATOR
from exporters.rollups.sources import FACTS
from exporters.windows import Window, window

PERCENTILES = [question for question in QUESTIONS if not question.metric]
_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

_Counts = dict[str, dict[str, list[int]]]
"""Counts by bucket, by window and agent."""

_FACT = "executions_ended"
_BUCKETS = HISTOGRAM_COLUMNS[: len(AGENT) + 1]
_PLACES = tuple(list(FACTS[_FACT].labels).index(label) for label in ("agent", "outcome"))
_TIERS = {"minute": "analytics.rollup_minute", "hour": "analytics.rollup_hour", "day": "analytics.rollup_day"}


class Percentiles:
    """The answers to `PERCENTILES` over one connection in autocommit mode. `latest` is what was read already, if anything."""

    def __init__(self, connection: psycopg.Connection[Any], latest: Latest | None = None) -> None:
        self._connection, self._latest = connection, latest
        self._fresh = Fresh([_FACT], _BUCKETS)
        self._as_of: object = None
        self._folded: _Counts = {}

    def read(self, now: datetime) -> dict[str, Answer]:
        """By the question's name: the buckets of each agent's percentiles in the question's window as of `now`."""
        windows = [window(_length(question), now) for question in PERCENTILES]
        counted = self._latest.at(now.timestamp(), self._fresh.moment.place) if self._latest else None
        while True:
            if counted is not None:
                well, counted = self._fresh.take(counted), None
            else:
                well = self._fresh.add(self._connection.execute(self._fresh.question()).fetchall())
            if well and self._as_of == (self._fresh.moment.folds, windows):
                break
            # A fold between the two statements is found by the next round, which asks again.
            self._folded = {asked.name: self._read_folded(asked) for asked in windows}
            self._as_of = (self._fresh.moment.folds, windows)
        found: _Counts = {
            name: defaultdict(_nothing, {agent: list(counts) for agent, counts in agents.items()})
            for name, agents in self._folded.items()
        }
        for (_, labels, at), (_, *counts) in self._fresh.counts.items():
            agent, outcome = (labels.split(SEPARATOR)[place] for place in _PLACES)
            for asked in windows:
                if outcome and asked.start <= at < asked.end:
                    found[asked.name][agent] = list(map(add, found[asked.name][agent], counts))
        return {question.name: _answer(found[_length(question)]) for question in PERCENTILES}

    def _read_folded(self, asked: Window) -> dict[str, list[int]]:
        parts = " UNION ALL ".join(
            f"SELECT series, {', '.join(_BUCKETS)} FROM {_TIERS[span.tier]}"
            f" WHERE series = ANY (ARRAY(SELECT series FROM wanted))"
            f" AND bucket >= '{span.start.isoformat()}' AND bucket < '{span.end.isoformat()}'"
            for span in asked.spans()
        )
        rows = self._connection.execute(
            "WITH wanted AS MATERIALIZED (SELECT series, labels[1] AS agent FROM analytics.totals"
            " WHERE fact = 'executions_ended' AND labels[5] <> '')"
            f" SELECT agent, ARRAY[{', '.join(f'coalesce(analytics.total({column}), 0)' for column in _BUCKETS)}]"
            f" FROM ({parts}) AS counted JOIN wanted USING (series) GROUP BY agent".encode()
        )
        return dict(rows.fetchall())


def _length(question: Question) -> str:
    return dict(question.fixed)["window"]


def _nothing() -> list[int]:
    return [0] * (len(AGENT) + 1)


def _answer(counted: dict[str, list[int]]) -> Answer:
    return {
        (agent,): tuple(_bucket(counts, share) for share in _SHARES.values())
        for agent, counts in counted.items()
        if any(counts)
    }


def _bucket(counts: list[int], share: float) -> int:
    """The first bucket up to which at least `share` of all lie."""
    wanted = math.ceil(share * sum(counts) - 1e-9)
    return next(place for place, total in enumerate(accumulate(counts)) if total >= wanted)
