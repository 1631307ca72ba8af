"""What Grafana calls field options: thresholds, value mappings, links and overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from contract.keys import dashboard_uid
from dashboards.lib import colours

Json = dict[str, Any]
Drawn = Literal["off", "line", "area", "line+area", "dashed", "dashed+area"]


@dataclass(frozen=True)
class Thresholds:
    """Colours of a value: `base` from the bottom, then each step from its value on. Steps ascend."""

    base: str
    steps: tuple[tuple[float, str], ...] = ()
    mode: Literal["absolute", "percentage"] = "absolute"

    def __post_init__(self) -> None:
        values = [value for value, _ in self.steps]
        if values != sorted(set(values)):
            raise ValueError(f"thresholds must ascend, not {values}")

    def to_json_data(self) -> Json:
        steps = [{"color": self.base, "value": None}, *({"color": colour, "value": value} for value, colour in self.steps)]
        return {"mode": self.mode, "steps": steps}


PLAIN = Thresholds(colours.NEUTRAL)
"""For figures that are neither good nor bad."""


def at_least(target: float) -> Thresholds:
    """Good from `target` on, bad below it."""
    return Thresholds(colours.DOWN, ((target, colours.OK),))


def at_most(warning: float, critical: float | None = None) -> Thresholds:
    """Good below `warning`, bad from `critical` on. Without `critical`, or with one that comes first, there is no between."""
    if critical is None or critical <= warning:
        return Thresholds(colours.OK, ((warning if critical is None else critical, colours.DOWN),))
    return Thresholds(colours.OK, ((warning, colours.DEGRADED), (critical, colours.DOWN)))


def lines(*marked: tuple[float, str]) -> Thresholds:
    """Lines to draw across a graph, in any order; of several at one value the last stays."""
    return Thresholds(colours.NONE, tuple(sorted(dict(marked).items())))


@dataclass(frozen=True)
class Word:
    """What is shown instead of a value."""

    text: str
    colour: str | None = None

    def result(self, index: int) -> Json:
        return {"text": self.text, "color": self.colour, "index": index}


def words(by_value: Mapping[int, Word] | Mapping[str, Word]) -> list[Json]:
    """A value mapping: each value and the word that stands for it."""
    return [{"type": "value", "options": {f"{value}": word.result(i) for i, (value, word) in enumerate(by_value.items())}}]


def special(match: Literal["null", "nan", "null+nan", "true", "false", "empty"], word: Word) -> list[Json]:
    """A value mapping for what is no number. `nan` is what a quantile of nothing gives."""
    return [{"type": "special", "options": {"match": match, "result": word.result(0)}}]


@dataclass(frozen=True)
class Link:
    """A link of a panel, or of its values (a data link). Addresses may use Grafana's variables."""

    title: str
    url: str
    new_tab: bool = False

    def to_json_data(self) -> Json:
        return {"title": self.title, "url": self.url, "targetBlank": self.new_tab}


def tab_link(title: str, tab: str) -> Link:
    """To another tab, with the time range and all variables as they are."""
    return Link(title, f"/d/{dashboard_uid(tab)}?${{__url_time_range}}&${{__all_variables}}")


def narrowing_link(title: str, tab: str, narrowed: str, value: str, kept: tuple[str, ...] = ()) -> Link:
    """To a tab with the variable `narrowed` set to one value, the time range and the variables `kept` as they are.

    `value` is Grafana text, for example `${__field.labels.agent}`. All variables at once would name the narrowed one twice.
    """
    rest = "".join(f"&${{{name}:queryparam}}" for name in kept)
    return Link(title, f"/d/{dashboard_uid(tab)}?${{__url_time_range}}&var-{narrowed}={value}{rest}")


@dataclass(frozen=True)
class Override:
    """Options for some fields of a panel. `matcher` is one of Grafana's field matchers; property ids are Grafana's."""

    matcher: Literal["byName", "byRegexp", "byFrameRefID", "byType", "byNames"]
    options: Any
    properties: tuple[tuple[str, Any], ...]

    def to_json_data(self) -> Json:
        properties = [{"id": id_, "value": value} for id_, value in self.properties]
        return {"matcher": {"id": self.matcher, "options": self.options}, "properties": properties}


def named(name: str, **properties: Any) -> Override:
    """An override for the field called `name`; a property `custom_x` means `custom.x`."""
    return Override("byName", name, _properties(properties))


def of_query(ref_id: str, **properties: Any) -> Override:
    """An override for all fields of one query (A is the first)."""
    return Override("byFrameRefID", ref_id, _properties(properties))


def _properties(given: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((key.replace("custom_", "custom.", 1), value) for key, value in given.items())


def fixed(colour: str) -> Json:
    """One colour, whatever the value."""
    return {"mode": "fixed", "fixedColor": colour}


def painted(by_name: Mapping[str, str]) -> tuple[Override, ...]:
    """Fixed colours for a closed set of series, by their names."""
    return tuple(named(name, color=fixed(colour)) for name, colour in by_name.items())
