"""The process that works out forecasts and advice: `python -m exporters.outlook`, JSON on its input and on its output."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from exporters.outlook import money, waiting
from exporters.outlook.comparison import Candidate, remaining
from exporters.outlook.trials import forecast


def candidates(evidence: dict[str, list[dict[str, Any]]]) -> list[Candidate]:
    """All comparisons of all rules; what could not be asked has no rows."""
    return [
        *money.models(evidence["calls"], evidence["scores"]),
        *money.prompts(evidence["calls"]),
        *money.caches(evidence["caches"], evidence["prices"]),
        *waiting.causes(evidence["parts"]),
        *waiting.limits(evidence["limits"]),
    ]


def worked_out(given: dict[str, Any]) -> dict[str, Any]:
    """Of `series` by key, values a day, and `evidence` by question, rows: `forecasts` by key, `compared`, `advice` in order."""
    compared = candidates(given["evidence"])
    return {
        "forecasts": {key: asdict(forecast(values)) for key, values in given["series"].items()},
        "compared": len(compared),
        "advice": [asdict(candidate) | {"effect": list(candidate.effect), "p": p} for candidate, p in remaining(compared)],
    }


if __name__ == "__main__":
    json.dump(worked_out(json.load(sys.stdin)), sys.stdout)
