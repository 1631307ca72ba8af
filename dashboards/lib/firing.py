"""What fires, as Prometheus' own series ALERTS and ALERTS_FOR_STATE tell it."""

from __future__ import annotations

from dashboards.lib.filters import STANDARD, standing


def alerts(state: str, *more: str) -> str:
    """Alerts in a state (firing, pending) for what the tab's filters choose, and those that belong to none.

    The signal of life is left out. `more` are further matchers.
    """
    chosen = (f'{name}=~"(${name})|"' for name in STANDARD if name in standing())
    matchers = ",".join((f'alertstate="{state}"', 'alertname!="Watchdog"', *chosen, *more))
    return f"ALERTS{{{matchers}}}"


def of_severity(state: str, severity: str) -> str:
    """Those of one severity."""
    return alerts(state, f'severity="{severity}"')


FIRING, FIRING_CRITICAL = alerts("firing"), of_severity("firing", "critical")
FIRING_BAD = alerts("firing", 'severity!="info"')
"""Those that mean that something is wrong."""


def since(firing: str) -> str:
    """The moment, in milliseconds since the epoch, from which each of these alerts has been true."""
    return f"1000 * ALERTS_FOR_STATE and ignoring (alertstate) {firing}"
