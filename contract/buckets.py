"""Upper bounds of every histogram of the contract.

Sources: OpenTelemetry semantic conventions (HTTP, LLM, WORKFLOW, DB, TOKENS); AGENT is geometric between 0.05 s and 60 s
(ratio 1.36) so that a percentile read from it errs by about 2 %, bent to contain the bounds that objectives and alerts use
(0.1, 0.5, 2, 5 s), with a coarse tail.
"""

from __future__ import annotations

from collections.abc import Sequence

HTTP = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0)
AGENT = (
    0.05, 0.07, 0.1, 0.136, 0.185, 0.25, 0.35, 0.5, 0.66, 0.87, 1.15, 1.52, 2.0, 2.7, 3.7,
    5.0, 6.8, 9.2, 12.5, 17.0, 23.0, 31.0, 43.0, 60.0, 80.0, 160.0, 320.0,
)  # fmt: skip
LLM = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOOL = LLM
WORKFLOW = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
SESSION = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0)
TICKET = (
    60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 57600.0, 86400.0, 172800.0, 259200.0, 604800.0, 864000.0,
)  # fmt: skip
DB = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
SEARCH = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
RESULTS = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
TOKENS = tuple(4.0**n for n in range(14))


def bound_spelling(bound: float) -> tuple[str, str]:
    """Operator and value of the `le` matcher for one bucket bound, right for every spelling.

    Prometheus 2 keeps `le="5"` as scraped, Prometheus 3 rewrites it to `le="5.0"`, and from a million on Go writes an exponent:
    a whole number must match all of them.

    >>> bound_spelling(5), bound_spelling(0.5), bound_spelling(4.0**10)
    (('=~', '5|5[.]0'), ('=', '0.5'), ('=~', '1048576|1048576[.]0|1[.]048576e[+]06'))
    """
    if bound != int(bound):
        return "=", f"{bound:g}"
    spellings = [f"{int(bound)}", f"{int(bound)}[.]0"]
    if bound >= 1e6:
        digits = f"{int(bound)}"
        rest = digits[1:].rstrip("0")
        spellings.append(f"{digits[0]}{'[.]' * bool(rest)}{rest}e[+]{len(digits) - 1:02d}")
    return "=~", "|".join(spellings)


def bound_matcher(bound: float) -> str:
    """The `le` matcher for one bucket bound, as PromQL.

    >>> bound_matcher(5), bound_matcher(0.5)
    ('le=~"5|5[.]0"', 'le="0.5"')
    """
    operator, value = bound_spelling(bound)
    return f'le{operator}"{value}"'


def quantile(share: float, counts: Sequence[int], bounds: Sequence[float]) -> float:
    """A quantile of a histogram, straight within its bucket as Prometheus takes it; the last bound for what lies beyond it.

    `counts`: one a bound, not cumulative, then those beyond the last; at least one observation.
    """
    rank, before, lower = share * sum(counts), 0, 0.0
    for count, upper in zip(counts, bounds, strict=False):
        if count and before + count >= rank:
            return lower + (upper - lower) * (rank - before) / count
        before, lower = before + count, upper
    return lower
