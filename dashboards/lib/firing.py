"""What fires, as Prometheus' own series ALERTS and ALERTS_FOR_STATE tell it."""

from __future__ import annotations

from itertools import product

from contract.signals.model import equal
from dashboards.lib.filters import STANDARD, matched, of_one_value, standing


def alerts(state: str, *more: str) -> str:
    """Alerts in a state (firing, pending) for what the tab's filters choose, and those that belong to none.

    The signal of life is left out. `more` are further matchers.
    """
    own = (f'alertstate="{state}"', 'alertname!="Watchdog"', *more)
    ways = product(*(_ways(name) for name in STANDARD if name in standing()))
    found = [f"ALERTS{{{','.join((*own, *chosen))}}}" for chosen in ways]
    return found[0] if len(found) == 1 else f"({' or '.join(found)})"


def _ways(name: str) -> tuple[str, ...]:
    """Matchers for what a filter chooses and for what belongs to none. A filter of one value is no pattern: it may hold any
    character, and what belongs to none is asked for beside it.
    """
    return (f"{matched(name)}", f"{equal(name, '')}") if of_one_value(name) else (f'{name}=~"(${name})|"',)


def of_severity(state: str, severity: str) -> str:
    """Those of one severity."""
    return alerts(state, f'severity="{severity}"')


FIRING, FIRING_CRITICAL = alerts("firing"), of_severity("firing", "critical")
FIRING_BAD = alerts("firing", 'severity!="info"')
"""Those that mean that something is wrong."""


def since(firing: str) -> str:
    """The moment, in milliseconds since the epoch, from which each of these alerts has been true."""
    return f"1000 * ALERTS_FOR_STATE and ignoring (alertstate) {firing}"
