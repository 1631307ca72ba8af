"""Grafana Live as far as it is needed: lines of the Influx protocol become frames of a channel. Who is signed in may push."""

from __future__ import annotations

import re

from tests.grafana.world import Json, Problem, Request, Route, World

_WORD = r"(?:[^\s,=\\]|\\.)+"
_FIELD = r"\w+=-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_LINE = re.compile(rf"(?P<name>{_WORD})(?P<labels>(?:,{_WORD}={_WORD})*) (?P<fields>{_FIELD}(?:,{_FIELD})*)(?: \d+)?")
_LABEL = re.compile(rf",({_WORD})=({_WORD})")


def push(world: World, request: Request) -> Json:
    for line in request.body.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            raise Problem(500, f"metric parse error: {line}")
        fields = {name: float(value) for name, value in (one.split("=") for one in found["fields"].split(","))}
        labels = {_plain(name): _plain(value) for name, value in _LABEL.findall(found["labels"])}
        channel = f"stream/{request.place['stream']}/{_plain(found['name'])}"
        world.streamed.setdefault(channel, []).append({"labels": labels, **fields})
    return {}


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


ROUTES = (Route("POST", "/api/live/push/:stream", "", push),)
