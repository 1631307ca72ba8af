"""An alert is muted for a while, and unmuted: a silence in Alertmanager, with its author, its reason and its end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import requests

from alert_rules.catalogue import active
from alert_rules.wording import rule_labels
from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.actions.action import Change
from provisioning.actions.audit import Connection
from provisioning.actions.lengths import seconds_within
from provisioning.findings import InputError, Unreachable, closest
from provisioning.unreached import reason

LONGEST = "7d"
_SECONDS = 10.0
_NEVER = ("Watchdog",)
"""What watches the watching itself is not to be muted."""
_SAME = timedelta(minutes=1)
"""Ends of silences that are this near to each other are one: a command that is given twice changes nothing the second time."""
_SAID = ("matchers", "createdBy", "comment", "startsAt", "endsAt")
"""What a silence is, beside its number and its state."""


@dataclass(frozen=True)
class Mute:
    """Mutes the alerts of a name, where their labels have these values, for a time such as `2h`; ends that where it is None.

    `path` is the configuration that was named, if one was.
    """

    path: Path | None
    settings: Settings
    name: str
    where: Mapping[str, str]
    length: str | None
    reason: str
    actor: str
    reads_database: ClassVar[bool] = False

    def planned(self, connection: Connection | None) -> Change:  # noqa: ARG002 - Alertmanager knows
        self._refuse_what_is_odd()
        standing = self._standing()
        before = None if standing is None else {"for": _length(standing), **self._otherwise(standing)}
        after = None if self.length is None else {"for": self.length}
        where = [word for label, value in sorted(self.where.items()) for word in ("--where", f"{label}={value}")]
        place = shlex.join([self.name, *where, *(["--config", str(self.path)] if self.path else [])])
        way = "unmute" if before is None else f"mute --for {before['for']} --reason again"
        said = (f"  because: {self.reason}",) if self.reason else ()
        target = " ".join([f"alert {self.name}", *(f"{label}={value}" for label, value in sorted(self.where.items()))])
        name = "alert unmute" if self.length is None else "alert mute"
        return Change(name, target, before, after, f"observatory alert {way} {place}", said, {"reason": self.reason})

    def carry_out(self, connection: Connection, change: Change) -> Callable[[], None]:  # noqa: ARG002
        standing, made = self._standing(), ""
        if self.length is not None:
            now = datetime.now(UTC)
            until = now + timedelta(seconds=duration_seconds(self.length))
            times = {"startsAt": now.isoformat(), "endsAt": until.isoformat()}
            said = {"matchers": self._matchers, "createdBy": self.actor, "comment": self.reason, **times}
            made = self._silence(said, "" if standing is None else standing["id"])
        elif standing is not None:
            self._ask("DELETE", f"silence/{standing['id']}")

        def undo() -> None:
            if standing is not None:  # one that has ended cannot be begun again: the same is made
                self._silence({name: standing[name] for name in _SAID}, made)
            elif made:
                self._ask("DELETE", f"silence/{made}")

        return undo

    def _silence(self, said: Mapping[str, Any], instead_of: str) -> str:
        """Makes a silence, and ends the one `instead_of` which it is in the same moment; its number."""
        replaced = {"id": instead_of} if instead_of else {}
        return str(self._ask("POST", "silences", {**said, **replaced})["silenceID"])

    @property
    def _matchers(self) -> list[dict[str, Any]]:
        labels = {"alertname": self.name, **self.where}
        return [{"name": label, "value": value, "isRegex": False, "isEqual": True} for label, value in sorted(labels.items())]

    def _standing(self) -> dict[str, Any] | None:
        """The silence that is in force for exactly this."""
        for silence in self._ask("GET", "silences"):
            matchers = sorted(silence["matchers"], key=lambda matcher: str(matcher["name"]))
            plain = [{"isEqual": True} | matcher for matcher in matchers]
            if plain == self._matchers and silence["status"]["state"] in ("active", "pending"):
                return dict(silence)
        return None

    def _otherwise(self, standing: Mapping[str, Any]) -> dict[str, str]:
        """When a silence ends, where that is not when the one that is wanted would: it may be as long, and nearly over."""
        if self.length is None:
            return {}
        ends = _moment(standing["endsAt"])
        wanted = datetime.now(UTC) + timedelta(seconds=duration_seconds(self.length))
        return {} if abs(ends - wanted) <= _SAME else {"until": f"{ends:%Y-%m-%d %H:%M} UTC"}

    def _refuse_what_is_odd(self) -> None:
        known = {alert.name: alert for alert in active(self.settings)}
        if self.name in _NEVER:
            raise InputError(f"error: {self.name} fires always, to show that alerts arrive; it is not to be muted")
        if self.name not in known:
            near = closest(self.name, known)
            raise InputError(f"error: there is no alert {self.name}{f'; {near}' if near else ''}")
        labels = (*known[self.name].by, *rule_labels(known[self.name]))
        for label in self.where:
            if label not in labels:
                raise InputError(f"error: {self.name} has no label {label}; it has: {', '.join(labels)}")
        if self.length is not None:
            seconds_within("--for", self.length, "1m", LONGEST)
        if self.length is not None and not self.reason:
            raise InputError("error: --reason is missing: whoever finds it muted at night has to know why")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self.settings.sources.alertmanager.url.rstrip('/')}/api/v2/{path}"
        try:
            answer = requests.request(method, url, json=body, timeout=_SECONDS, allow_redirects=False)
        except requests.RequestException as problem:
            raise Unreachable(f"error: Alertmanager does not answer at {url}: {reason(problem)}") from None
        if answer.status_code == 404 and method == "DELETE":
            return None
        if not 200 <= answer.status_code < 300:
            raise InputError(f"error: Alertmanager refuses: HTTP {answer.status_code}: {answer.text[:200]}")
        if method == "DELETE":
            return None
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, list if method == "GET" else dict):
            raise Unreachable(f"error: what answers at {url} is not Alertmanager; is a login page in front of it?")
        return found


def _length(silence: Mapping[str, Any]) -> str:
    """How long a silence was to last, as people write it."""
    seconds = round((_moment(silence["endsAt"]) - _moment(silence["startsAt"])).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
