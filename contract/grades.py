"""How models are compared: the grade of a model, and when another one would do. One rule for panel, report and documentation.

Points go from 0 to 100. Quality: 100 x mean score (scores from 0 to 1). Errors: 100 without any, 0 where the alert on models'
errors begins. Latency: 100 at no time, 0 where the alert on slow models begins, by the 95th percentile. Cost: 100 for the
cheapest of the compared models, 50 for one that costs twice as much for a token. The points of a model are the mean of its
parts by weight; a part that nobody knows (no scores, no price) is left out.
"""

from __future__ import annotations

WEIGHTS = {"quality": 0.40, "errors": 0.25, "latency": 0.20, "cost": 0.15}
LETTERS = {"A": 90, "B": 80, "C": 70, "D": 60, "E": 50, "F": 0}
"""The least points of each grade."""

LEAST_CALLS, LEAST_SCORES = 50, 20
"""With fewer nothing is said about a model, or about the quality of its work."""
QUALITY_SLACK = 0.02
"""By how much a mean score may be below that of the model in use."""
LATENCY_SLACK = 1.25
"""How many times the 95th percentile of the model in use another one may take; never more than the alert's limit."""

WORDS = (
    "Points: "
    + ", ".join(f"{part} {weight:.0%}" for part, weight in WEIGHTS.items())
    + "; grades: "
    + ", ".join(f"{letter} from {least}" for letter, least in LETTERS.items() if least)
    + ", F below"
)
"""The rule in a sentence."""
