"""Advice: fixed rules over what happened, each with its figures, how sure its effect is, and what it does not look at.

What is advised was compared with something else and is better by more than chance explains: over all comparisons of a run
together, the share of runs in which chance alone would give any advice is at most `CHANCE` (Holm 1979).
"""

from __future__ import annotations

from dataclasses import dataclass

CHANCE = 0.05
CERTAINTY = 0.95
"""Of the interval of each effect by itself."""
DAYS, RECENT_DAYS = 30, 7
"""What is looked at: the last whole days; and of these, what counts as recent."""
QUALITY_MARGIN = 0.05
"""A cheaper model may be judged worse by less than this, beyond doubt; and by `grades.QUALITY_SLACK` as it was measured."""
LEAST_SAVING_USD = 1.0
"""Of 30 days. Less is not worth a change."""
DEARER = 1.05
"""A version of a prompt is dearer when its calls cost this many times those of the version before, beyond doubt."""
CACHE_SHARE = 0.10
"""By how much of its input an agent has to be behind the others, beyond doubt."""
LEAST_TIMEOUTS, CUT_SHARE = 10, 0.001
"""A limit of time is lowered where so many were given up, and at most this share of successes takes longer, beyond doubt."""
SLOWER = 1.10
"""A part of requests is a cause when it made their time at least this many times what it was."""
LEAST_REQUESTS = 20
"""Requests of a day, and calls of a day, with fewer of which the day is left out."""


@dataclass(frozen=True)
class Kind:
    """A rule. `unit` is that of its effect in 30 days, a Grafana unit; `not_considered` is for people."""

    key: str
    title: str
    unit: str
    not_considered: str


_ALL = (
    Kind(
        "model",
        "cheaper model",
        "currencyUSD",
        "whether both models were given the same kind of calls; answers that no score judged; prices to come",
    ),
    Kind(
        "prompt",
        "dearer prompt",
        "currencyUSD",
        "whether the newer version is better; what people ask may have changed with it",
    ),
    Kind(
        "prompt_cache",
        "prompt cache",
        "currencyUSD",
        "whether this agent's prompts begin alike; what writing to the cache costs",
    ),
    Kind(
        "timeout",
        "lower time limit",
        "s",
        "what a longer wait might have saved: none of those that were given up is known to have been near its end",
    ),
    Kind(
        "slow",
        "cause of slowness",
        "s",
        "requests without a trace; what was asked; whether the part is slow itself or only waits for another",
    ),
)
KINDS: dict[str, Kind] = {kind.key: kind for kind in _ALL}
