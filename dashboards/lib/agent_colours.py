"""One colour for each agent, the same on every graph, bar and pie; its other environments are told apart by their dashes."""

from __future__ import annotations

import re

from contract.settings import Settings
from dashboards.lib.agent_bars import AGENT, AgentBars
from dashboards.lib.field import PLAIN, Json, Override, fixed, named
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import BY_VALUE, Panel
from dashboards.lib.queries import PromQuery

COLOURS = ("#758EF0", "#CAB816", "#E03E8F", "#24C9DB", "#F09A75", "#7F19E6", "#735E0D", "#AE139F")
"""Any two can be told apart with each deficiency of colour vision, on dark and light ground; none is the colour of a state."""
DASHES: tuple[Json, ...] = ({"fill": "dash", "dash": [10, 6]}, {"fill": "dot", "dash": [0, 6]})
"""Of the second environment, and of all further ones; the first has whole lines."""
_LABELS = re.compile(r"\{\{(\w+)\}\}")
_MEANT = re.compile(r"[\\^$.*+?()\[\]{}|/]")
"""What stands for something else in a pattern of the browser."""


def overrides(panel: Panel, settings: Settings) -> tuple[Override, ...]:
    """The colours of a panel whose series or rows are agents; none of any other panel."""
    agents = dict(zip(settings.grafana.agent_colours, COLOURS, strict=False))
    if isinstance(panel, AgentBars):
        return (_words(agents),)
    if panel.of_agents:
        return tuple(named(agent, color=fixed(colour)) for agent, colour in agents.items())
    labels = {label for query in panel.targets if isinstance(query, PromQuery) for label in _LABELS.findall(query.legend)}
    if not isinstance(panel, TimeSeries) or not {"agent"} <= labels <= {"agent", "environment"}:
        return ()
    painted = tuple(_part(agent, ("color", fixed(colour))) for agent, colour in agents.items())
    return (*painted, *(_dashed(settings.environments) if "environment" in labels else ()))


def _words(agents: dict[str, str]) -> Override:
    """What paints bars by the words beside them; an agent without a colour of its own is neutral."""
    options = {agent: {"color": colour, "index": index} for index, (agent, colour) in enumerate(agents.items())}
    return named(AGENT, color=BY_VALUE, thresholds=PLAIN.to_json_data(), mappings=[{"type": "value", "options": options}])


def _dashed(environments: tuple[str, ...]) -> tuple[Override, ...]:
    return tuple(
        _part(environment, ("custom.lineStyle", DASHES[min(place, len(DASHES) - 1)]))
        for place, environment in enumerate(environments[1:])
    )


def _part(word: str, *properties: tuple[str, Json]) -> Override:
    """An override for the series in whose names a word stands for itself, between dots."""
    literal = _MEANT.sub(lambda found: f"\\{found.group()}", word)
    return Override("byRegexp", f"/^(.+ · )?{literal}( · .+)?$/", properties)
