"""Where the tab's panels lead: to one agent, and within the tab, with all filters kept."""

from __future__ import annotations

from contract.keys import dashboard_uid, panel_id
from dashboards.lib.field import Link, narrowing_link
from dashboards.lib.requests import FILTERS

KEY = "performance"
_KEPT = tuple(name for name in FILTERS if name not in ("department", "agent"))
"""What a link to one agent keeps. The department has chosen the agents already."""


def one_agent(value: str) -> Link:
    """To the detail of an agent. `value` is Grafana text for its name."""
    return narrowing_link("This agent in detail", "one-agent", "agent", value, _KEPT)


def here(title: str, panel: str) -> Link:
    """To a panel of this tab, full screen, with the time range and all filters as they are."""
    return Link(title, _address("${__url_time_range}", panel))


def around(title: str, panel: str) -> Link:
    """The same, with the hour around the moment that was clicked for the time range."""
    return Link(title, _address("time=${__value.time}&time.window=3600000", panel))


def _address(times: str, panel: str) -> str:
    return f"/d/{dashboard_uid(KEY)}?{times}&${{__all_variables}}&viewPanel={panel_id(f'{KEY}/{panel}')}"
