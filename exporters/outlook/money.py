"""Rules about money: a cheaper model for a task, a version of a prompt that became dearer, a cache that is not used. Pure.

Rows are dicts as `evidence` asks for them. Calls of one task are taken for draws that do not depend on each other; shares of
the cache are compared by days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from contract.advice import CACHE_SHARE, DEARER, LEAST_SAVING_USD, QUALITY_MARGIN, RECENT_DAYS
from contract.grades import LATENCY_SLACK, LEAST_CALLS, LEAST_SCORES, QUALITY_SLACK
from exporters.outlook.comparison import Candidate, Sample, Span, above, together

Row = dict[str, Any]
Task = tuple[str, str, str]
"""Environment, agent, prompt."""
_MILLION = 1_000_000


def _costs(row: Row) -> Sample:
    return Sample(row["n"], row["cost"], row["cost_variance"] or 0.0)


def _seconds(row: Row) -> Sample:
    return Sample(row["n"], row["seconds"], row["seconds_variance"] or 0.0)


def _by_task(rows: Sequence[Row]) -> dict[Task, dict[str, list[Row]]]:
    """Rows by task and model."""
    found: dict[Task, dict[str, list[Row]]] = {}
    for row in rows:
        found.setdefault((row["environment"], row["agent"], row["prompt"]), {}).setdefault(row["model"], []).append(row)
    return found


def models(calls: Sequence[Row], scores: Sequence[Row]) -> Iterator[Candidate]:
    """Another model, tried on the same task, that costs less, is judged no worse and is no slower, each beyond doubt."""
    judged = {
        (row["environment"], row["agent"], row["prompt"], row["model"]): Sample(row["n"], row["mean"], row["variance"] or 0.0)
        for row in scores
        if row["n"] >= LEAST_SCORES
    }
    for task, by_model in _by_task(calls).items():
        known = {
            model: (together(map(_costs, rows)), together(map(_seconds, rows)), judged[*task, model])
            for model, rows in by_model.items()
            if (*task, model) in judged and sum(row["n"] for row in rows) >= LEAST_CALLS
        }
        used = max(by_model, key=lambda model: (sum(row["n"] for row in by_model[model]), model))
        if used in known:
            for other in sorted(known.keys() - {used}):
                yield _model(task, (used, other), known[used], known[other])


def _model(task: Task, names: tuple[str, str], used: tuple[Sample, ...], other: tuple[Sample, ...]) -> Candidate:
    cheaper, saving = above(used[0], other[0])
    quicker, _ = above(used[1].times(LATENCY_SLACK), other[1])
    as_good, quality = above(other[2], used[2], -QUALITY_MARGIN)
    saved = saving.times(used[0].n)
    environment, agent, prompt = task
    return Candidate(
        kind="model",
        agent=agent,
        environment=environment,
        subject=prompt,
        what=f"Let {names[1]} do {prompt} instead of {names[0]}",
        why=(
            f"{other[0].n} calls cost {_usd(other[0].mean)} each, not {_usd(used[0].mean)} ({used[0].n} calls); scores "
            f"{other[2].mean:.3f} of {other[2].n} against {used[2].mean:.3f} of {used[2].n}; {other[1].mean:.2f} s "
            f"against {used[1].mean:.2f} s"
        ),
        effect=saved,
        p=max(cheaper, quicker, as_good),  # all three have to hold, so the least certain counts (Berger 1982)
        worthwhile=saved.low >= LEAST_SAVING_USD and quality.value >= -QUALITY_SLACK,
        setting="model",
        before=names[0],
        after=names[1],
    )


def prompts(calls: Sequence[Row]) -> Iterator[Candidate]:
    """The newest version of a prompt, whose calls cost more than those of the version before, on the same model."""
    for (environment, agent, prompt), by_model in _by_task(calls).items():
        for model, rows in by_model.items():
            versions = sorted(
                (row for row in rows if row["version"] is not None and row["n"] >= LEAST_CALLS), key=lambda row: row["version"]
            )
            if len(versions) < 2:
                continue
            old, new = versions[-2:]
            p, _ = above(_costs(new), _costs(old).times(DEARER))
            saved = above(_costs(new), _costs(old))[1].times(new["n"])
            yield Candidate(
                kind="prompt",
                agent=agent,
                environment=environment,
                subject=f"{prompt} on {model}",
                what=f"See what made version {new['version']} of {prompt} dearer than {old['version']}, and cut it",
                why=(
                    f"a call on {model} costs {_usd(new['cost'])} ({new['n']} calls), "
                    f"{new['cost'] / max(old['cost'], 1e-12):.2f} times that of version {old['version']} ({old['n']} calls)"
                ),
                effect=saved,
                p=p,
                worthwhile=saved.low >= LEAST_SAVING_USD,
            )


def caches(days: Sequence[Row], prices: Sequence[Row]) -> Iterator[Candidate]:
    """An agent whose input comes from the prompt cache less often than that of all others on the same model."""
    cheaper = {
        row["model"]: (row["input"] - row["cached"]) / _MILLION
        for row in prices
        if row["input"] is not None and row["cached"] is not None and row["cached"] < row["input"]
    }
    used: dict[tuple[str, str], dict[str, dict[str, tuple[float, float]]]] = {}
    for row in days:
        if row["model"] in cheaper and row["input"] > 0:
            agents = used.setdefault((row["environment"], row["model"]), {})
            agents.setdefault(row["agent"], {})[row["day"]] = (row["input"], row["cached"])
    for (environment, model), agents in sorted(used.items()):
        for agent, own in sorted(agents.items()):
            others = _shares([by_day for name, by_day in agents.items() if name != agent])
            mine = _shares([own])
            if min(len(mine), len(others)) >= RECENT_DAYS:
                saved = sum(tokens for tokens, _ in own.values()) * cheaper[model]
                yield _cache(environment, agent, model, (Sample.of(mine), Sample.of(others)), saved)


def _shares(agents: Sequence[dict[str, tuple[float, float]]]) -> list[float]:
    """The share of the input of some agents that came from the cache, a value for each day."""
    days = sorted({day for by_day in agents for day in by_day})
    sums = ([sum(by_day.get(day, (0.0, 0.0))[part] for by_day in agents) for part in (0, 1)] for day in days)
    return [cached / tokens for tokens, cached in sums]


def _cache(environment: str, agent: str, model: str, shares: tuple[Sample, Sample], whole: float) -> Candidate:
    """`whole` is what it would save in USD if all input came from the cache instead of none."""
    own, others = shares
    p, difference = above(others, own, CACHE_SHARE)
    effect = Span(*(share * whole for share in difference))
    return Candidate(
        kind="prompt_cache",
        agent=agent,
        environment=environment,
        subject=model,
        what=f"Let {agent} use the prompt cache of {model}: begin its prompts with what never changes",
        why=(
            f"{own.mean:.1%} of its input came from the cache ({own.n} days), {others.mean:.1%} of that of all others on this "
            f"model ({others.n} days)"
        ),
        effect=effect,
        p=p,
        worthwhile=effect.low >= LEAST_SAVING_USD,
        setting="prompt_cache",
        before="off" if own.mean < 0.01 else f"{own.mean:.0%}",
        after="on",
    )


def _usd(amount: float) -> str:
    return f"{amount:.4g} USD"
