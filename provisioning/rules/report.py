"""What a replay found, for people and for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from provisioning.rules.built import Labels
from provisioning.rules.differences import Difference, differences
from provisioning.rules.plan import Window
from provisioning.rules.replay import Replayed
from provisioning.rules.states import Firing

_HEAD = ("alert", "about", "from", "until", "lasts", "peak")


@dataclass(frozen=True)
class Report:
    """One build over a window, and the build that it is held against, where there is one."""

    replayed: Replayed
    against: Replayed | None = None

    @property
    def differences(self) -> list[Difference] | None:
        return None if self.against is None else differences(self.against.firings, self.replayed.firings)

    @property
    def refused(self) -> bool:
        return bool(self.replayed.refused or (self.against and self.against.refused))

    def as_text(self) -> str:
        window, build = self.replayed.window, self.replayed.build
        lines = [f"{_moment(window.since)} to {_moment(window.until)} UTC, {len(build.alerting)} alerts of {build.place}", ""]
        if self.replayed.firings:
            lines += _table([_HEAD, *(_row(firing, window) for firing in self.replayed.firings)])
        else:
            lines.append("nothing fires")
        silent = sorted({rule.alert for rule in build.alerting} - {firing.alert for firing in self.replayed.firings})
        if silent:
            lines += ["", f"never fire: {', '.join(silent)}"]
        if (found := self.differences) is not None and self.against is not None:
            lines += ["", *_differences(found, self.against.build.place, window)]
        for one in filter(None, (self.replayed, self.against)):
            lines += [f"error: {one.build.place}: {name} cannot be evaluated: {said}" for name, said in one.refused.items()]
        return "\n".join(lines)

    def as_json(self) -> str:
        window = self.replayed.window
        found: dict[str, Any] = {"since": _iso(window.since), "until": _iso(window.until), **_plain(self.replayed)}
        if (changes := self.differences) is not None and self.against is not None:
            found["against"] = _plain(self.against)
            found["differences"] = [
                {"change": one.change.value, "before": _firing(one.before), "after": _firing(one.after)} for one in changes
            ]
        return json.dumps(found, indent=2)


def _differences(found: Sequence[Difference], place: str, window: Window) -> Iterator[str]:
    if not found:
        yield f"no difference to {place}"
        return
    yield f"against {place}:"
    rows = [("change", *_HEAD[:4], f"in {place}")]
    for one in found:
        _, about, since, until, _, _ = _row(one.shown, window)
        other = f"{_since(one.before, window)} to {_until(one.before)}" if one.before and one.after else ""
        rows.append((one.change.value, one.shown.alert, about, since, until, other))
    yield from _table(rows)


def _row(firing: Firing, window: Window) -> tuple[str, ...]:
    end = window.until if firing.until is None else firing.until
    about = about_text(firing.labels)
    return firing.alert, about, _since(firing, window), _until(firing), lasting(end - firing.since), f"{firing.peak:.4g}"


def about_text(labels: Labels) -> str:
    return " ".join(f"{name}={value}" for name, value in labels) or "–"


def _since(firing: Firing, window: Window) -> str:
    return "before" if firing.since <= window.since else _moment(firing.since)


def _until(firing: Firing) -> str:
    return "still fires" if firing.until is None else _moment(firing.until)


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def lasting(seconds: float) -> str:
    """`1d2h`, `5m30s`: the two largest units that are not zero."""
    left, parts = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    rows = list(rows)
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _plain(replayed: Replayed) -> dict[str, Any]:
    return {
        "build": replayed.build.place,
        "alerts": sorted({rule.alert for rule in replayed.build.alerting}),
        "firings": [_firing(firing) for firing in replayed.firings],
        "recomputed": list(replayed.recomputed),
        "refused": replayed.refused,
    }


def _firing(firing: Firing | None) -> dict[str, Any] | None:
    if firing is None:
        return None
    return {
        "alert": firing.alert,
        "labels": dict(firing.labels),
        "pending": _iso(firing.pending),
        "from": _iso(firing.since),
        "until": None if firing.until is None else _iso(firing.until),
        "peak": firing.peak if math.isfinite(firing.peak) else str(firing.peak),
    }
