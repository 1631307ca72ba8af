"""All tabs, in the order of the navigation bar; and where a panel is found by its key."""

from __future__ import annotations

from difflib import get_close_matches

from contract.settings import Settings
from dashboards import (
    agents,
    alerts,
    cost,
    executions,
    feedback,
    health,
    knowledge,
    models,
    observatory,
    one_agent,
    one_request,
    overview,
    performance,
    tickets,
    users,
)
from dashboards.lib.panel import Panel
from dashboards.lib.tab import Tab

TABS: tuple[Tab, ...] = (
    overview.TAB,
    agents.TAB,
    performance.TAB,
    one_agent.TAB,
    one_request.TAB,
    users.TAB,
    tickets.TAB,
    knowledge.TAB,
    health.TAB,
    cost.TAB,
    models.TAB,
    feedback.TAB,
    executions.TAB,
    alerts.TAB,
    observatory.TAB,
)


def panel(key: str, settings: Settings) -> Panel:
    """The panel called `tab/name`. Raises KeyError that says which keys are near."""
    found = {f"{tab.key}/{panel.name}": panel for tab in TABS for panel in tab.panels(settings)}
    if key not in found:
        near = get_close_matches(key, found, n=3)
        raise KeyError(f"no panel is called {key}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    return found[key]
