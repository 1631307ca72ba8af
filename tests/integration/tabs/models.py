"""Models."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from statistics import fmean
from typing import Any

import pytest

from tests.integration.model_calls import Judged, Row, by, cost, ledger, midnight, same_bucket
from tests.integration.moment import Moment
from tests.integration.reckoning import close
from tests.integration.tabs import Fault

WEEK = 7 * 86400.0
MILLISECONDS = 2e-3
"""Times are sent in whole milliseconds: sums of them differ by so much."""
LIMIT_ERRORS, LIMIT_SECONDS = 0.10, 20.48
"""Where the alerts on models begin."""
PRICES = {
    "gpt-4.1": (2.0, 0.5, 8.0), "gpt-4.1-mini": (0.4, 0.1, 1.6), "claude-sonnet-4-5": (3.0, 0.3, 15.0),
    "gemini-2.5-flash": (0.3, 0.075, 2.5),
}  # fmt: skip
"""USD for a million tokens of input, cached input and output, as Langfuse lists them."""


def table(moment: Moment, name: str, seconds: float = WEEK) -> list[dict[str, Any]]:
    return moment.panel_table(f"models/{name}", seconds=seconds)


def calls_of(moment: Moment) -> list[Row]:
    return ledger(moment).days(WEEK)


def writers(moment: Moment) -> dict[str, list[Row]]:
    """Calls of models that write, by model."""
    groups = by(calls_of(moment), lambda row: row.model)
    return {model: rows for model, rows in groups.items() if sum(row.output for row in rows)}


def seconds(rows: list[Row]) -> list[float]:
    return [row.seconds for row in rows if row.seconds is not None]


def firsts(rows: list[Row]) -> list[float]:
    return [row.first for row in rows if row.first is not None]


def scored(moment: Moment, key: Callable[[Row], Any]) -> dict[Any, list[float]]:
    """Scores from 0 to 1 by something about the answer that they judge."""
    found = by(ledger(moment).judged(WEEK), lambda score: key(score.answer))
    return {name: [score.value for score in scores] for name, scores in found.items()}


def _compared(name: str, figure: Callable[[list[Row]], float], within: float = 1e-9) -> Callable[[Moment], None]:
    def check(moment: Moment) -> None:
        now, rows = ledger(moment).now, calls_of(moment)
        begin = midnight(now - timedelta(seconds=WEEK))
        before = midnight(begin - (now - begin))
        earlier = [r for r in ledger(moment).rows if before <= r.at < begin and r.environment == "production"]
        enough = len({row.day for row in earlier}) >= len({row.day for row in rows}) - 1
        [shown] = table(moment, name)
        assert shown["this range"] == pytest.approx(figure(rows), rel=within)
        if enough:
            assert shown["change"] == pytest.approx(figure(rows) / figure(earlier) - 1, rel=1e-9, abs=max(within, 1e-9))
        else:
            assert shown["change"] is None

    return check


def _error_share(rows: list[Row]) -> float:
    return sum(row.failed for row in rows) / len(rows)


def _speed(rows: list[Row]) -> float:
    """Of the days and models that wrote."""
    days = [of for of in by(rows, lambda row: (row.day, row.model)).values() if sum(row.output for row in of)]
    return sum(row.output for of in days for row in of) / math.fsum(s for of in days for s in seconds(of))


def _percentiles(name: str, times: Callable[[list[Row]], list[float]]) -> Callable[[Moment], None]:
    def check(moment: Moment) -> None:
        [shown] = table(moment, name)
        values = times(calls_of(moment))
        assert same_bucket(shown["p50"], values, 0.5) and same_bucket(shown["p95"], values, 0.95)

    return check


def quality(moment: Moment) -> None:
    values = [score.value for score in ledger(moment).judged(WEEK)]
    assert table(moment, "quality") == [{"mean score": close(fmean(values)), "scores": len(values)}]


def _points(moment: Moment, shown: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Points by the rule, with the percentiles that are shown: they are right within their bucket."""
    groups, scores = writers(moment), scored(moment, lambda row: row.model)
    token = {
        model: cost(rows) / sum(r.input + r.output for r in rows)
        for model, rows in groups.items()
        if any(row.cost is not None for row in rows)
    }
    found = {}
    for model, rows in groups.items():
        parts = {
            0.25: 100 * max(0.0, 1 - _error_share(rows) / LIMIT_ERRORS),
            0.20: 100 * max(0.0, 1 - shown[model]["p95"] / LIMIT_SECONDS),
        }
        if len(scores.get(model, ())) >= 20:
            parts[0.40] = 100 * fmean(scores[model])
        if model in token:
            parts[0.15] = 100 * min(token.values()) / token[model]
        found[model] = math.fsum(weight * part for weight, part in parts.items()) / math.fsum(parts)
    return found


def ranking(moment: Moment) -> None:
    shown = {row["model"]: row for row in table(moment, "ranking")}
    groups, scores = writers(moment), scored(moment, lambda row: row.model)
    assert shown.keys() == groups.keys()
    points = _points(moment, shown)
    for model, rows in groups.items():
        row, enough = shown[model], len(groups[model]) >= 50
        assert row["points"] == close(points[model])
        assert row["grade"] == (sum(points[model] >= least for least in (50, 60, 70, 80, 90)) if enough else None)
        judged = scores.get(model, [])
        assert row["quality"] == (close(fmean(judged)) if len(judged) >= 20 else None)
        assert (row["calls"], row["errors"]) == (len(rows), close(_error_share(rows)))
        assert same_bucket(row["p50"], seconds(rows), 0.5) and same_bucket(row["p95"], seconds(rows), 0.95)
        assert same_bucket(row["first95"], firsts(rows), 0.95)
        assert row["speed"] == pytest.approx(sum(r.output for r in rows) / math.fsum(seconds(rows)), rel=MILLISECONDS)
        priced = any(call.cost is not None for call in rows)
        assert row["thousand"] == (close(1000 * cost(rows) / len(rows)) if priced else None)
    best = max((model for model in groups if len(groups[model]) >= 50), key=lambda model: points[model])
    assert next(iter(shown)) == best and shown[best]["verdict"].startswith("best of these")


def recommended(moment: Moment) -> None:
    """Each task's model in use and, by the rule, the cheapest other one that would do."""
    now = ledger(moment).now
    monthly = timedelta(days=30) / (now - midnight(now - timedelta(seconds=WEEK)))
    tasks = by([row for row in calls_of(moment) if row.prompt], lambda row: row.prompt)
    scores = scored(moment, lambda row: (row.prompt, row.model))
    shown = {row["task"]: row for row in table(moment, "recommended")}
    used = {}
    for task, rows in tasks.items():
        models = by(rows, lambda row: row.model)
        model = min(models, key=lambda name: (-len(models[name]), name))
        if len(models[model]) >= 50:
            used[task] = (model, models)
    assert shown.keys() == used.keys()
    for task, (model, models) in used.items():
        row, own = shown[task], models[model]
        assert (row["model"], row["calls"], row["cost"]) == (model, len(own), close(1000 * cost(own) / len(own)))
        assert same_bucket(row["p95"], seconds(own), 0.95)
        mine = scores.get((task, model), [])
        assert row["quality"] == (close(fmean(mine)) if mine else None)
        others = {other: calls for other, calls in models.items() if other != model and len(calls) >= 50}
        if row["other_model"] == "–":
            assert row["monthly"] is None
            assert ("tried enough" in row["verdict"]) == (not others)
            continue
        other = others[row["other_model"]]
        theirs = scores[task, row["other_model"]]
        assert min(len(mine), len(theirs)) >= 20 and fmean(theirs) >= fmean(mine) - 0.02
        assert row["other_p95"] <= min(LIMIT_SECONDS, 1.25 * row["p95"])
        saving = (cost(own) / len(own) - cost(other) / len(other)) * len(own)
        assert saving > 0 and row["monthly"] == close(saving * monthly)


def _repriced(moment: Moment) -> tuple[dict[str, float], float]:
    """What all calls of models that write and have a price would have cost on each model, and what they cost."""
    rows = [row for calls in writers(moment).values() if all(c.cost is not None for c in calls) for row in calls]
    plain, cached = sum(row.input - row.cached for row in rows), sum(row.cached for row in rows)
    output = sum(row.output for row in rows)
    prices = {model: (plain * i + cached * c + output * o) / 1e6 for model, (i, c, o) in PRICES.items()}
    return prices, cost(rows)


def repriced(moment: Moment) -> None:
    prices, actual = _repriced(moment)
    shown = {row["model"]: row["cost"] for row in table(moment, "repriced")}
    assert shown == close({**prices, "as it is": actual}) and list(shown.values()) == sorted(shown.values())


def repriced_models(moment: Moment) -> None:
    prices, actual = _repriced(moment)
    groups, scores = writers(moment), scored(moment, lambda row: row.model)
    shown = {row["model"]: row for row in table(moment, "repriced_models")}
    assert shown.keys() == prices.keys()
    for model, row in shown.items():
        assert (row["cost"], row["more"]) == close((prices[model], prices[model] - actual))
        assert row["share"] == close(prices[model] / actual - 1)
        assert row["calls"] == len(groups.get(model, ()))
        assert row["quality"] == (close(fmean(scores[model])) if model in scores else None)
        assert row["p95"] is None if model not in groups else same_bucket(row["p95"], seconds(groups[model]), 0.95)


def quality_by_model(moment: Moment) -> None:
    shown = {row["model"]: row["mean score"] for row in table(moment, "quality_by_model")}
    assert shown == close({model: fmean(values) for model, values in scored(moment, lambda row: row.model).items()})


def quality_over_time(moment: Moment) -> None:
    groups = by(ledger(moment).judged(WEEK), lambda score: (midnight(score.at), score.name))
    shown = {(row["time"], row["metric"]): row["value"] for row in table(moment, "quality_over_time")}
    assert shown == close({key: fmean(score.value for score in scores) for key, scores in groups.items()})


def evaluators(moment: Moment) -> None:
    begin = midnight(ledger(moment).now - timedelta(seconds=WEEK))
    given: list[Judged] = [s for s in ledger(moment).scores if s.at >= begin and s.environment == "production"]
    groups = by(given, lambda score: (score.name, score.source, score.kind.lower()))
    shown = {(row["name"], row["source"], row["kind"]): row for row in table(moment, "evaluators")}
    assert shown.keys() == groups.keys()
    for key, scores in groups.items():
        values = [score.value for score in scores if score.value is not None]
        expected = close((fmean(values), min(values), max(values))) if values else (None, None, None)
        assert tuple(shown[key][name] for name in ("mean", "least", "greatest")) == expected
        assert shown[key]["scores"] == len(scores)
        assert abs(shown[key]["newest"] - max(score.at for score in scores)) < timedelta(milliseconds=2)


def latency_and_cost(moment: Moment) -> None:
    groups = {model: rows for model, rows in writers(moment).items() if any(row.cost is not None for row in rows)}
    shown = {row["model"]: row for row in table(moment, "latency_and_cost")}
    assert shown.keys() == groups.keys()
    for model, rows in groups.items():
        assert same_bucket(shown[model]["p95"], seconds(rows), 0.95)
        assert shown[model]["1000 calls"] == close(1000 * cost(rows) / len(rows))


def latency_by_day(moment: Moment) -> None:
    groups = by(calls_of(moment), lambda row: (row.day, row.model))
    shown = {(row["time"], row["metric"]): row["value"] for row in table(moment, "latency_by_day")}
    assert shown.keys() == groups.keys()
    assert all(same_bucket(shown[key], seconds(rows), 0.95) for key, rows in groups.items())


def cost_by_day(moment: Moment) -> None:
    groups = by([row for row in calls_of(moment) if row.chat and row.cost is not None], lambda row: (row.day, row.model))
    shown = {(row["time"], row["metric"]): row["value"] for row in table(moment, "cost_by_day")}
    assert shown == close({key: 1000 * cost(rows) / len(rows) for key, rows in groups.items()})


def prompt_versions(moment: Moment) -> None:
    groups = by([row for row in calls_of(moment) if row.prompt], lambda row: (row.prompt, str(row.version), row.model))
    scores = scored(moment, lambda row: (row.prompt, str(row.version), row.model))
    shown = {(row["prompt_name"], row["prompt_version"], row["model"]): row for row in table(moment, "prompt_versions")}
    assert shown.keys() == groups.keys() and Counter(map(len, shown)) == {3: len(groups)}
    for key, rows in groups.items():
        row, judged = shown[key], scores.get(key, [])
        figures = (row["calls"], row["errors"], row["cost"], row["input"], row["output"])
        count = len(rows)
        assert figures == close(
            (
                count,
                _error_share(rows),
                1000 * cost(rows) / count,
                sum(r.input for r in rows) / count,
                sum(r.output for r in rows) / count,
            )
        )
        assert same_bucket(row["p95"], seconds(rows), 0.95)
        assert (row["quality"], row["scores"]) == ((close(fmean(judged)), len(judged)) if judged else (None, None))


FIGURES = {
    "models/calls": _compared("calls", len),
    "models/error_share": _compared("error_share", _error_share),
    "models/output_speed": _compared("output_speed", _speed, MILLISECONDS),
    "models/latency": _percentiles("latency", seconds),
    "models/first_token": _percentiles("first_token", firsts),
    "models/quality": quality,
    "models/ranking": ranking,
    "models/recommended": recommended,
    "models/repriced": repriced,
    "models/repriced_models": repriced_models,
    "models/quality_by_model": quality_by_model,
    "models/quality_over_time": quality_over_time,
    "models/evaluators": evaluators,
    "models/latency_and_cost": latency_and_cost,
    "models/latency_by_day": latency_by_day,
    "models/cost_by_day": cost_by_day,
    "models/prompt_versions": prompt_versions,
}
FAULTS = (
    Fault("models/ranking", "0.4 *", "0.5 *"),
    Fault("models/repriced", "cache_read_tokens", "reasoning_tokens"),
    Fault("models/quality_over_time", "value BETWEEN 0 AND 1", "value BETWEEN 0 AND 0.95"),
    Fault("models/latency", "model_usage_statistics", "first_token_daily"),
)
