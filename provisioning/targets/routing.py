"""Alertmanager's configuration in a form in which equal ones are equal, without secrets, and what a server says of its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml

from alert_rules.matching import Matcher
from contract.notifications import WEEK
from contract.values import duration_seconds, duration_text
from provisioning.plan.objects import Document

HIDDEN = "(hidden)"
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # 09:00 stays a text, and is not 540
_DURATIONS = frozenset({"group_wait", "group_interval", "repeat_interval", "resolve_timeout", "timeout"})
_SETS = frozenset({"group_by", "equal"})
_TRUTH = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_SECRET = re.compile(
    r"password|passwd|secret|token|credential|api_?key|access_key|routing_key|service_key|user_key|authorization", re.IGNORECASE
)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_UNSEEN = ("<secret>", HIDDEN)


def parsed(body: bytes | str) -> Document:
    """alertmanager.yml, normalised. Raises ValueError, which repeats nothing of the file, for what is no configuration."""
    try:
        document = yaml.load(body, Loader=_Loader)  # noqa: S506  a base loader makes texts, lists and dictionaries only
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        raise ValueError(f"it cannot be read as YAML{f' from line {mark.line + 1} on' if mark else ''}") from None
    if not isinstance(document, dict) or not isinstance(document.get("route"), dict):
        raise ValueError("it has no route")
    return normal(document)


def normal(configuration: Mapping[str, Any]) -> Document:
    """One form for matchers, durations, days and names of keys that have changed; secrets hidden, addresses shortened."""
    named = [*_items(configuration, "time_intervals"), *_items(configuration, "mute_time_intervals")]
    document = {
        "global": _plain("global", configuration.get("global")),
        "templates": list(configuration.get("templates") or ()),
        "route": _route(configuration["route"]),
        "inhibit_rules": [_inhibition(rule) for rule in _items(configuration, "inhibit_rules")],
        "time_intervals": [_interval(one) for one in named],
        "receivers": [_plain("receivers", receiver) for receiver in _items(configuration, "receivers")],
    }
    return {key: value for key, value in document.items() if value}


def _items(node: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = node.get(key) or ()
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list | tuple) else []


def _route(route: Mapping[str, Any]) -> dict[str, Any]:
    children = [_route(child) for child in _items(route, "routes")]
    own = {key: value for key, value in route.items() if key not in ("match", "match_re", "matchers", "routes", "continue")}
    matchers = _matchers(route.get("matchers"), route.get("match"), route.get("match_re"))
    goes_on = str(route.get("continue", "")).lower() in ("true", "yes", "on")
    parts = {"matchers": matchers, "routes": children, **({"continue": True} if goes_on else {})}
    return {**_plain("route", own), **{key: value for key, value in parts.items() if value}}


def _inhibition(rule: Mapping[str, Any]) -> dict[str, Any]:
    sides = {
        f"{side}_matchers": _matchers(rule.get(f"{side}_matchers"), rule.get(f"{side}_match"), rule.get(f"{side}_match_re"))
        for side in ("source", "target")
    }
    return {**sides, "equal": sorted(map(str, rule.get("equal") or ()))}


def _named(node: Any) -> Iterable[tuple[Any, Any]]:
    """Labels with their values; none where somebody wrote anything else."""
    return node.items() if isinstance(node, Mapping) else ()


def _matchers(texts: Any, same: Any, like: Any) -> list[str]:
    """Matchers in the newer form, whatever form they have, in one order."""
    found = [text for text in texts or () if isinstance(text, str)] if not isinstance(texts, str) else [texts]
    found += [_matcher(label, "=", value) for label, value in _named(same)]
    found += [_matcher(label, "=~", value) for label, value in _named(like)]
    return sorted(map(_written, found))


def _written(text: str) -> str:
    try:
        matcher = Matcher.parsed(text)
    except ValueError:
        return text
    return _matcher(matcher.label, matcher.operator, matcher.value)


def _matcher(label: str, operator: str, value: Any) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{label}{operator}"{escaped}"'


def _interval(named: Mapping[str, Any]) -> dict[str, Any]:
    parts = []
    for one in _items(named, "time_intervals"):
        part = _plain("time_intervals", one)
        if "weekdays" in part:
            part["weekdays"] = [day for day in WEEK if any(day in _days(span) for span in part["weekdays"])]
        parts.append(part)
    return {"name": str(named.get("name", "")), "time_intervals": parts}


def _days(span: str) -> tuple[str, ...]:
    """The days of `monday:friday`; of what names no days, none."""
    first, _, last = (word.strip().lower() for word in span.partition(":"))
    if first not in WEEK or (last or first) not in WEEK:
        return ()
    return WEEK[WEEK.index(first) : WEEK.index(last or first) + 1]


def _plain(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        found = {str(name): _plain(str(name), item) for name, item in sorted(value.items(), key=lambda item: str(item[0]))}
        return {name: item for name, item in found.items() if item not in ("", None, [], {})}
    if isinstance(value, list | tuple):
        items = [_plain(key, item) for item in value]
        return sorted(items) if key in _SETS else items
    text = str(value).lower() if isinstance(value, bool) else str(value if value is not None else "")
    if text in _UNSEEN or not text:
        return text
    if _SECRET.search(key) and not key.endswith("_file"):
        return HIDDEN
    if key in _DURATIONS:
        return _duration(text)
    if key.endswith("url") and re.match(r"https?://", text):
        return _address(text)
    return _TRUTH.get(text.lower(), _LOGIN.sub("…", text))


def _duration(text: str) -> str:
    try:
        return duration_text(duration_seconds(text)) or "0s"
    except ValueError:
        return text


def _address(text: str) -> str:
    """Where an address leads to, and eight digits that tell it from others there: its path may be a secret."""
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2]
    if parts.path in ("", "/") and not parts.query and "@" not in parts.netloc:
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}/… ({hashlib.sha256(text.encode()).hexdigest()[:8]})"


def differing(planned: Document, found: Document) -> Iterator[str]:
    """In what a server's configuration is not the planned one, in sentences. What a server adds of its own is passed over."""
    for key in ("global", "route", "inhibit_rules", "time_intervals", "receivers"):
        yield from _missing(key, planned.get(key, {} if key == "global" else []), found.get(key, []))


def _missing(place: str, planned: Any, found: Any) -> Iterator[str]:
    if found in _UNSEEN or planned in _UNSEEN:
        return
    if isinstance(planned, Mapping):
        if not isinstance(found, Mapping):
            yield f"{place} is not there"
            return
        for key, value in planned.items():
            yield from _missing(f"{place}.{key}", value, found.get(key))
        if "receiver" in planned and "routes" in found and "routes" not in planned:
            yield f"{place} has further routes"
    elif isinstance(planned, list) and isinstance(found, list):
        if len(planned) != len(found):
            yield f"{place}: there are {len(found)}, and not {len(planned)}"
            return
        for number, (value, other) in enumerate(_paired(planned, found)):
            yield from _missing(_place(place, number, value), value, other)
    elif planned != found:
        yield f"{place} is {'not there' if found is None else 'another one'}"


def _paired(planned: list[Any], found: list[Any]) -> Iterable[tuple[Any, Any]]:
    """Receivers and intervals by their names, all else by its position."""
    if all(isinstance(item, Mapping) and "name" in item for item in (*planned, *found)):
        named = {item["name"]: item for item in found}
        return [(item, named.get(item["name"])) for item in planned]
    return zip(planned, found, strict=True)


def _place(place: str, number: int, value: Any) -> str:
    name = value.get("name") if isinstance(value, Mapping) else None
    return f"{place} {name}" if name else f"{place}[{number}]"
