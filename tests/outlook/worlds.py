"""Platforms in figures, as the questions for evidence would give them: alike in all agents, models and days, but for noise.

Calls, scores and days are drawn one by one and added up, with the long tails that costs and times have.
"""

from __future__ import annotations

from typing import Any

import numpy as np

AGENTS = ("billing", "travel", "orders", "returns")
PROMPTS = ("answer", "plan")
MODELS = ("large", "small")
PARTS = ("auth", "retrieval", "llm", "tool")
PRODUCTION = "production"
DAYS, RECENT = 28, 7
CALLS, SCORES = 400, 120

Row = dict[str, Any]
Evidence = dict[str, list[Row]]


class World:
    """One platform without any cause; a test plants what it wants to be found in `evidence`."""

    def __init__(self, seed: int) -> None:
        self._draw = np.random.default_rng(seed)
        self.evidence: Evidence = {
            "calls": [
                self.calls(agent, prompt, model, version)
                for agent in AGENTS for prompt in PROMPTS for model in MODELS for version in (1, 2)
            ],
            "scores": [self.scores(agent, prompt, model) for agent in AGENTS for prompt in PROMPTS for model in MODELS],
            "caches": [
                self.cached(agent, model, day) for agent in AGENTS for model in MODELS for day in range(DAYS)
            ],
            "prices": [{"model": model, "input": 3.0, "cached": 0.3} for model in MODELS],
            "parts": [self.part(agent, part, day) for agent in AGENTS for part in PARTS for day in range(DAYS)],
            "limits": [self.limit(agent) for agent in AGENTS],
        }  # fmt: skip

    def calls(self, agent: str, prompt: str, model: str, version: int, usd: float = 0.02, n: int = CALLS) -> Row:
        costs = usd * self._draw.lognormal(-0.18, 0.6, n)
        seconds = self._draw.lognormal(0.5, 0.5, n)
        return {
            "environment": PRODUCTION, "agent": agent, "prompt": prompt, "version": version, "model": model, "n": n,
            "cost": float(costs.mean()), "cost_variance": float(costs.var(ddof=1)),
            "seconds": float(seconds.mean()), "seconds_variance": float(seconds.var(ddof=1)),
        }  # fmt: skip

    def scores(self, agent: str, prompt: str, model: str, mean: float = 0.8, n: int = SCORES) -> Row:
        values = self._draw.beta(10 * mean, 10 * (1 - mean), n)
        return {
            "environment": PRODUCTION, "agent": agent, "prompt": prompt, "model": model, "n": n,
            "mean": float(values.mean()), "variance": float(values.var(ddof=1)),
        }  # fmt: skip

    def cached(self, agent: str, model: str, day: int, share: float = 0.4) -> Row:
        tokens = 1e6 * float(self._draw.lognormal(0.0, 0.3))
        part = float(np.clip(self._draw.normal(share, 0.05), 0.0, 1.0))
        return {
            "environment": PRODUCTION, "agent": agent, "model": model, "day": f"2026-10-{day + 1:02}", "input": tokens,
            "cached": tokens * part,
        }  # fmt: skip

    def part(self, agent: str, part: str, day: int, seconds: float = 0.5) -> Row:
        """Days differ from each other by more than their requests' means do: a provider has bad days."""
        return {
            "environment": PRODUCTION, "agent": agent, "part": part, "day": day, "recent": day >= DAYS - RECENT,
            "requests": 200, "seconds": seconds * float(self._draw.lognormal(0.0, 0.15)), "whole": 2.0,
        }  # fmt: skip

    def limit(self, agent: str, slowest: float = 28.0, given_up: int = 30) -> Row:
        """Times have a long tail, which the limit of 30 s cuts off."""
        return {
            "environment": PRODUCTION, "agent": agent, "succeeded": 20_000, "limit": 30.0,
            "slowest": slowest * float(self._draw.uniform(0.9, 1.0)), "given_up": int(self._draw.poisson(given_up)),
        }  # fmt: skip

    def put(self, question: str, row: Row, *keys: str) -> None:
        """Replaces the row that has the same values of these keys."""
        rows = self.evidence[question]
        [place] = [n for n, known in enumerate(rows) if all(known[key] == row[key] for key in keys)]
        rows[place] = row
