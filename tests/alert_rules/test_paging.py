"""Pages in virtual time: fast enough when it counts, silent when it is only chance."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate, cycle, islice
from typing import Any

import pytest

from alert_rules.rules import rule_groups
from contract.buckets import AGENT
from contract.settings import Settings

STEP = 15
BEFORE = 40  # scrapes at four queries a minute before the incident
BEGINS = BEFORE * STEP
FIRST_BAD = BEGINS + STEP
DEFAULTS = Settings()


def counter(name: str, labels: dict[str, str], increments: list[int], first: int = 1000) -> dict[str, str]:
    """A scraped counter; every increment is what came with one scrape."""
    inner = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{inner}}}", "values": " ".join(map(str, accumulate(increments, initial=first)))}


def queries(successes: list[int], errors: list[int], environment: str = "production") -> list[dict[str, str]]:
    about = {"agent": "billing", "environment": environment, "instance": "p", "job": "platform", "version": "1"}
    return [
        counter("agent_queries_total", {**about, "status": "success"}, successes),
        counter("agent_queries_total", {**about, "status": "error"}, errors, first=20),
    ]


def firing(alert: str, at: int) -> dict[str, Any]:
    return {"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})', "eval_time": f"{at}s"}


def fires(alert: str, at: int) -> dict[str, Any]:
    return {**firing(alert, at), "exp_samples": [{"labels": "{}", "value": 1}]}


def silent(alert: str, at: int) -> dict[str, Any]:
    return {**firing(alert, at), "exp_samples": []}


def never(alert: str, hours: int) -> dict[str, Any]:
    expression = f'count_over_time(ALERTS{{alertname="{alert}",alertstate="firing"}}[{hours}h])'
    return {"expr": expression, "eval_time": f"{hours}h", "exp_samples": []}


def verdict(built: Any, series: list[dict[str, str]], expectations: list[dict[str, Any]], settings: Settings = DEFAULTS) -> str:
    """What promtool says against the expectations; nothing when it agrees."""
    pages = [group for group in rule_groups(settings) if group["name"] == "agent_pages"]
    built._write("rules/pages.yml", {"groups": pages})
    document = {
        "rule_files": ["../rules/pages.yml"],
        "evaluation_interval": f"{STEP}s",
        "tests": [{"interval": f"{STEP}s", "input_series": series, "promql_expr_test": expectations}],
    }
    result = built.run("test", "rules", built.write_test("pages.yml", document))
    return "" if result.returncode == 0 else result.stdout + result.stderr


def incident(failing: tuple[int, ...], scrapes: int = 20) -> tuple[list[int], list[int]]:
    """Successes and errors by scrape: one query each, then sixteen a minute of which so many fail, then well again."""
    bad = list(islice(cycle(failing), scrapes))
    calm = [1] * BEFORE
    return [*calm, *(4 - errors for errors in bad), *[4] * 40], [*[0] * BEFORE, *bad, *[0] * 40]


@pytest.mark.parametrize("failing", [(3, 3, 2, 3), (2, 3, 3, 3), (1, 3, 3, 4), (4, 2, 3, 2)], ids=str)
def test_an_incident_pages_within_45_seconds_of_the_first_bad_scrape(failing: tuple[int, ...], built: Any) -> None:
    successes, errors = incident(failing)
    ends = BEGINS + 20 * STEP
    expectations = [
        silent("AgentErrorsPage", BEGINS),
        fires("AgentErrorsPage", FIRST_BAD + 45),
        fires("AgentErrorsPage", ends),
        silent("AgentErrorsPage", ends + 60 + 120 + 30),
    ]
    assert verdict(built, queries(successes, errors), expectations) == ""


def test_errors_that_were_never_counted_before_page_as_well(built: Any) -> None:
    successes, errors = incident((3, 3, 2, 3))
    series = queries(successes, errors)
    values = series[1]["values"].split()
    series[1]["values"] = " ".join(["_"] * (BEFORE + 1) + values[BEFORE + 1 :])
    assert verdict(built, series, [fires("AgentErrorsPage", FIRST_BAD + 45)]) == ""


def test_the_same_incident_in_staging_wakes_nobody(built: Any) -> None:
    series = queries(*incident((3, 3, 2, 3)), environment="staging")
    assert verdict(built, series, [silent("AgentErrorsPage", FIRST_BAD + 45), silent("AgentErrorsPage", FIRST_BAD + 180)]) == ""


def arrivals(chance: random.Random, per_minute: float, scrapes: int) -> Iterator[int]:
    """How many queries came with each scrape, when each comes by itself."""
    mean, clock = per_minute * STEP / 60, chance.expovariate(1)
    for scrape in range(1, scrapes + 1):
        count = 0
        while clock < scrape * mean:
            count, clock = count + 1, clock + chance.expovariate(1)
        yield count


def noise(seed: int, hours: int) -> list[dict[str, str]]:
    """Four queries a minute, of which 2 % fail, all by chance."""
    chance = random.Random(seed)
    came = list(arrivals(chance, 4, hours * 240))
    errors = [sum(chance.random() < 0.02 for _ in range(count)) for count in came]
    return queries([count - failed for count, failed in zip(came, errors, strict=True)], errors)


def test_a_day_of_ordinary_noise_does_not_page(built: Any) -> None:
    assert verdict(built, noise(seed=7, hours=24), [never("AgentErrorsPage", 24)]) == ""


def test_without_a_least_number_of_failures_the_same_noise_would_page(built: Any) -> None:
    thresholds = DEFAULTS.thresholds.model_copy(update={"minimum_failures_page": 1})
    loose = DEFAULTS.model_copy(update={"thresholds": thresholds})
    assert "AgentErrorsPage" in verdict(built, noise(seed=7, hours=24), [never("AgentErrorsPage", 24)], loose)


def latencies(seconds: list[tuple[float, ...]]) -> list[dict[str, str]]:
    """The histogram of answers, and the count of queries; one tuple of durations a scrape."""
    about = {
        "agent": "billing",
        "environment": "production",
        "instance": "p",
        "job": "platform",
        "version": "1",
        "status": "success",
    }
    buckets = [
        counter(
            "agent_query_duration_seconds_bucket",
            {**about, "le": "+Inf" if bound == float("inf") else str(bound)},
            [sum(second <= bound for second in scrape) for scrape in seconds],
        )
        for bound in (*AGENT, float("inf"))
    ]
    return [*buckets, counter("agent_queries_total", about, [len(scrape) for scrape in seconds])]


def test_slow_answers_page_and_a_single_slow_one_does_not(built: Any) -> None:
    calm = [(1.0, 2.5)] * 40
    one_slow = [(1.0, 2.5), (1.0, 70.0), (1.0, 2.5), (2.5,)] * 10
    slow = [(20.0, 30.0), (1.0, 20.0, 30.0)] * 10
    outlier_ends, bad_from = 80 * STEP, 81 * STEP
    expectations = [
        *(silent("AgentResponseTimePage", at) for at in range(40 * STEP, outlier_ends + STEP, 60)),
        fires("AgentResponseTimePage", bad_from + 45),
    ]
    assert verdict(built, latencies([*calm, *one_slow, *slow]), expectations) == ""
