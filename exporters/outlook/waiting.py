"""Rules about time: what made an agent's requests slow, and a limit of time that lets people wait for nothing. Pure.

Days are compared, not requests: those of one day are slow together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from contract.advice import CUT_SHARE, DAYS, LEAST_REQUESTS, LEAST_TIMEOUTS, RECENT_DAYS, SLOWER
from contract.causes import CAUSES
from exporters.outlook.comparison import Candidate, Sample, above, counted, rarer

Row = dict[str, Any]
_LEAST_RECENT, _LEAST_BEFORE = RECENT_DAYS - 2, 2 * RECENT_DAYS
"""Days with enough requests, of the recent ones and of those before."""
_ROOM = 1.5
"""The limit that is advised is so many times the slowest success."""
_MONTH = DAYS / RECENT_DAYS


def causes(days: Sequence[Row]) -> Iterator[Candidate]:
    """Parts of an agent's requests that take longer in the recent days than in those before, and by how much.

    A row is a part on a day: `recent` tells which days, `seconds` is its mean time in a request, `whole` that of the request.
    """
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in days:
        if row["requests"] >= LEAST_REQUESTS and row["part"] in CAUSES:
            found.setdefault((row["environment"], row["agent"]), {}).setdefault(row["part"], []).append(row)
    for (environment, agent), parts in sorted(found.items()):
        for part, rows in sorted(parts.items()):
            recent, before = ([row for row in rows if row["recent"] is side] for side in (True, False))
            if len(recent) >= _LEAST_RECENT and len(before) >= _LEAST_BEFORE:
                yield _cause(environment, agent, part, recent, before)


def _cause(environment: str, agent: str, part: str, recent: list[Row], before: list[Row]) -> Candidate:
    now, then = (Sample.of([row["seconds"] for row in rows]) for rows in (recent, before))
    whole_then = Sample.of([row["whole"] for row in before]).mean
    p, longer = above(now, then)
    cause = CAUSES[part]
    requests = sum(row["requests"] for row in recent) * _MONTH
    return Candidate(
        kind="slow",
        agent=agent,
        environment=environment,
        subject=part,
        what=cause.advice,
        why=(
            f"{cause.words}: {now.mean:.3g} s of a request in the last {RECENT_DAYS} days, {then.mean:.3g} s before, when a "
            f"request took {whole_then:.3g} s in all ({now.n} against {then.n} days)"
        ),
        effect=longer.times(requests),
        p=p,
        worthwhile=longer.value >= (SLOWER - 1) * whole_then,
    )


def limits(rows: Sequence[Row]) -> Iterator[Candidate]:
    """A limit of time far above the slowest success: nobody was helped by waiting for so long.

    A row is an agent in the recent days: `succeeded`, `slowest` success, `given_up` at the limit, `limit` as it shows there.
    """
    for row in rows:
        if row["given_up"] >= LEAST_TIMEOUTS and row["slowest"] is not None and row["limit"] is not None:
            yield _limit(row)


def _limit(row: Row) -> Candidate:
    new = math.ceil(_ROOM * row["slowest"])
    waited = row["limit"] - new
    return Candidate(
        kind="timeout",
        agent=row["agent"],
        environment=row["environment"],
        subject="time limit",
        what=f"Give up after {new} s instead of {row['limit']:.3g} s",
        why=(
            f"{row['given_up']} requests were given up in {RECENT_DAYS} days, after {row['limit']:.3g} s; of "
            f"{row['succeeded']} that succeeded the slowest took {row['slowest']:.3g} s"
        ),
        effect=counted(row["given_up"]).times(_MONTH * max(waited, 0.0)),
        p=rarer(0, row["succeeded"], CUT_SHARE),
        worthwhile=new <= row["limit"] / 2,
        setting="timeout_seconds",
        before=f"{row['limit']:.0f}",
        after=str(new),
    )
