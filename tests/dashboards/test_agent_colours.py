"""An agent has one colour wherever it is drawn, and readers with a deficiency of colour vision can tell the colours apart."""

from __future__ import annotations

import itertools
import math
import re
from functools import cache
from typing import Any

import pytest
from pydantic import ValidationError

from contract.keys import panel_id
from contract.settings import Settings
from dashboards.catalogue import TABS
from dashboards.lib import colours
from dashboards.lib.agent_colours import COLOURS, overrides
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.queries import PromQuery

Json = dict[str, Any]
Colour = tuple[float, float, float]

SETTINGS = Settings()
SEEN_BY = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""What an eye makes of linear red, green and blue (Machado, Oliveira and Fernandes 2009, severity 1)."""
GROUNDS = {"dark": "#181B1F", "light": "#FFFFFF"}
APART = 20.0
"""In CIE L*a*b*, where about 2.3 is a difference that can just be seen."""


def linear(colour: str) -> Colour:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _bent(red), _bent(green), _bent(blue)


def _bent(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def luminance(light: Colour) -> float:
    return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]


def lab(light: Colour) -> Colour:
    """CIE L*a*b* of linear light under D65."""
    red, green, blue = (min(1.0, max(0.0, part)) for part in light)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (
        part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, luminance((red, green, blue)), z)
    )
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def seen(colour: str, eye: str) -> Colour:
    light = linear(colour)
    red, green, blue = (sum(weight * part for weight, part in zip(row, light, strict=True)) for row in SEEN_BY[eye])
    return lab((red, green, blue))


@pytest.mark.parametrize("eye", SEEN_BY)
def test_every_eye_tells_any_two_apart(eye: str) -> None:
    near = {pair: math.dist(seen(pair[0], eye), seen(pair[1], eye)) for pair in itertools.combinations(COLOURS, 2)}
    assert {pair: apart for pair, apart in near.items() if apart < APART} == {}


def test_none_is_taken_for_a_state() -> None:
    states = (colours.OK, colours.DEGRADED, colours.DOWN)
    assert min(math.dist(seen(a, "normal"), seen(b, "normal")) for a in COLOURS for b in states) > 15


@pytest.mark.parametrize("ground", GROUNDS.values(), ids=GROUNDS)
def test_each_is_seen_on_its_ground(ground: str) -> None:
    def contrast(one: str, other: str) -> float:
        darker, lighter = sorted((luminance(linear(one)), luminance(linear(other))))
        return (lighter + 0.05) / (darker + 0.05)

    assert min(contrast(colour, ground) for colour in COLOURS) > 1.9


@cache
def panels() -> dict[int, Json]:
    """All panels as Grafana gets them, those of folded rows included."""
    tops = [panel for tab in TABS for panel in tab.dashboard(SETTINGS)["panels"]]
    return {panel["id"]: panel for top in tops for panel in (top, *top.get("panels", []))}


def drawn(key: str) -> Json:
    return panels()[panel_id(key)]


def matches(override: Json, name: str) -> bool:
    matcher = override["matcher"]
    if matcher["id"] == "byName":
        return bool(matcher["options"] == name)
    return matcher["id"] == "byRegexp" and re.fullmatch(matcher["options"].strip("/"), name) is not None


def colour_of(panel: Json, agent: str, series: str) -> str | None:
    """In which colour a panel draws an agent: by the words beside its bar, else by the name of its series or row."""
    for override in panel["fieldConfig"]["overrides"]:
        properties = {one["id"]: one["value"] for one in override["properties"]}
        if panel["options"].get("colorByField") == override["matcher"]["options"]:
            return str(properties["mappings"][0]["options"][agent]["color"])
        if matches(override, series) and "color" in properties:
            return str(properties["color"]["fixedColor"])
    return None


BY_AGENT = {
    "overview/agent_errors": "{agent} · production",
    "agents/success_bars": "{agent}",
    "agents/thumbs": "{agent}",
    "agents/by_agent": "{agent}",
    "performance/slowest_agents": "{agent} · staging",
    "performance/busiest_agents": "{agent}",
    "cost/by_agent": "{agent}",
    "executions/agent_shares": "{agent}",
    "alerts/agent_capacity_high": "production · {agent}",
}
"""What each panel calls an agent."""


@pytest.mark.parametrize(("key", "series"), BY_AGENT.items(), ids=BY_AGENT)
def test_an_agent_has_its_colour_everywhere(key: str, series: str) -> None:
    panel = drawn(key)
    agents = SETTINGS.grafana.agent_colours
    found = {agent: colour_of(panel, agent, series.format(agent=agent)) for agent in agents}
    assert found == dict(zip(agents, COLOURS, strict=False))


def test_names_that_only_begin_alike_or_hold_signs_are_their_own() -> None:
    settings = Settings.model_validate({"grafana": {"agent_colours": ["a.b (new)", "support"]}})
    found = overrides(
        TimeSeries(name="x", title="X", description="X", targets=(PromQuery(expr="x", legend="{{agent}}"),)), settings
    )
    panel = {"options": {}, "fieldConfig": {"overrides": [override.to_json_data() for override in found]}}
    named = {name: colour_of(panel, name, name) for name in ("a.b (new)", "support", "axb (new)", "support-eu")}
    assert named == {"a.b (new)": COLOURS[0], "support": COLOURS[1], "axb (new)": None, "support-eu": None}


def test_other_environments_are_told_apart_by_their_dashes() -> None:
    panel = drawn("overview/agent_errors")
    styles = {
        environment: [
            one["value"]["fill"]
            for override in panel["fieldConfig"]["overrides"]
            if matches(override, f"support · {environment}")
            for one in override["properties"]
            if one["id"] == "custom.lineStyle"
        ]
        for environment in SETTINGS.environments
    }
    assert styles == {"production": [], "staging": ["dash"], "development": ["dot"]}


def test_where_one_agent_has_several_series_they_keep_their_own_colours() -> None:
    assert colour_of(drawn("alerts/agent_version_worse"), "support", "production · support · v2 · errors") is None


@pytest.mark.parametrize(
    "names", [["a", "b", "a"], [f"agent-{n}" for n in range(9)], [""]], ids=["twice", "too many", "nameless"]
)
def test_what_cannot_be_told_apart_is_refused(names: list[str]) -> None:
    with pytest.raises(ValidationError, match="agent_colours"):
        Settings.model_validate({"grafana": {"agent_colours": names}})
