"""One tenant of Mimir: what is there, and what a plan changes of it.

Mimir has no versions of its own. So each object is read again before it is replaced, and whoever applies puts a sign into the
ledger: of two who begin at once, the first to find another's sign stops.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress

from contract.settings import Settings
from provisioning.check import limits
from provisioning.findings import ConfigError, Finding, Unreachable, error
from provisioning.plan.objects import Key, Live, State, Wanted, digest
from provisioning.plan.target import Moved, Refused
from provisioning.targets.mimir import routes, rules
from provisioning.targets.mimir.client import Absent, Client
from provisioning.targets.mimir.rules import LEDGER, Ledger

_ALERTS = ("api", "v1", "alerts")
_ANOTHER = "another apply is at work; wait for its end and plan again"


class Tenant:
    """`settings.targets.mimir`, with what `build` wrote."""

    name = "mimir"
    as_a_whole = False
    kinds: tuple[str, ...] = (routes.KIND, rules.RECORDING, rules.ALERTS)

    def __init__(self, settings: Settings, client: Client, built: Mapping[str, bytes]) -> None:
        self._settings, self._client, self._built = settings, client, built
        self._mimir, self._me = settings.targets.mimir, settings.plan.owner
        self._rules = (*self._mimir.prefix.strip("/").split("/"), "config", "v1", "rules")
        self._writer = ""
        self._applied: dict[Key, str] = {}

    def wanted(self) -> tuple[Wanted, ...]:
        """Raises ConfigError when there is more than the tenant takes."""
        found = list(rules.wanted(self._built))
        sizes = [(one.title, len(one.document["rules"])) for one in found]
        if problems := [*limits.mimir_groups([*sizes, (LEDGER, 1)], self._mimir.rules_per_group, self._mimir.groups)]:
            raise ConfigError(problems)
        if self._mimir.alertmanager:
            found.append(routes.wanted(self._built, self._mimir.tenant))
        return tuple(found)

    def live(self) -> State:
        ledger, objects = Ledger(), []
        for namespace, groups in self._namespaces().items():
            for group in groups:
                if namespace != self._me:
                    objects.append(rules.live(group, "", namespace))
                elif group["name"] == LEDGER:
                    ledger = Ledger.of(group)
                else:
                    objects.append(rules.live(group, self._me))
        unverified = ["Mimir's ruler takes changed rules over when it looks next; that it has is not looked at"]
        if self._mimir.alertmanager:
            objects += self._routes()
            unverified.append(
                "secrets and addresses of webhooks in the configuration of Alertmanager are sent and not compared"
            )
        return State(tuple(objects), ledger.digests, ledger.revision, tuple(unverified))

    def begin(self, state: State) -> None:
        ledger = self._ledger()
        if ledger.revision != state.revision:
            raise Moved(f"tenant {self._mimir.tenant}: somebody has applied since the plan; plan again")
        self._writer, self._applied = secrets.token_hex(8), {}
        self._keep(Ledger(ledger.digests, self._writer))
        if self._ledger().writer != self._writer:
            raise Moved(f"tenant {self._mimir.tenant}: {_ANOTHER}")

    def write(self, wanted: Wanted, live: Live | None) -> Live:
        self._unmoved(wanted.key, live)
        if wanted.key.kind == routes.KIND:
            body, hidden = routes.sent(wanted, self._me)
            self._client.ask("POST", *_ALERTS, body=body, hidden=hidden)
        else:
            self._client.ask("POST", *self._rules, self._me, body=wanted.payload)
        return self._written(wanted.key)

    def remove(self, live: Live) -> None:
        now = self._now(live.key, live.title)
        if now is not None and now.key == live.key:  # a group of alerts may have become one of recorded series
            self._unmoved(live.key, live)
            path = _ALERTS if live.key.kind == routes.KIND else (*self._rules, self._me, live.title)
            with suppress(Absent):
                self._client.ask("DELETE", *path)
        self._applied.pop(live.key, None)

    def mark(self, live: Live, owner: str) -> Live:
        """Groups carry the mark by the namespace that they stand in: one elsewhere is another object."""
        if live.key.kind != routes.KIND:
            if owner:
                return live
            raise Refused(f"{live.key} is ours by its namespace {self._me}; move it to another one with mimirtool")
        self._unmoved(live.key, live)
        self._client.ask("POST", *_ALERTS, body=routes.marked(live.raw, owner))
        return self._written(live.key)

    def remember(self, ledger: Mapping[Key, str]) -> None:
        if self._ledger().writer != self._writer:
            raise Moved(f"tenant {self._mimir.tenant}: {_ANOTHER}")
        self._keep(Ledger(ledger, self._writer))

    def finish(self, said: str) -> list[Finding]:  # noqa: ARG002  Mimir keeps no notes
        """What Mimir now stores is what was written: somebody may have been there in between."""
        there = {live.key: digest(live.document) for live in self.live().objects}
        return [
            error(f"mimir {key}", "is not what was written a moment ago", "run `observatory plan` again")
            for key, last in sorted(self._applied.items())
            if there.get(key) != last
        ]

    def abandon(self) -> None:
        """The sign stays: it stops nobody who reads it before beginning."""

    def _namespaces(self) -> dict[str, list[dict[str, object]]]:
        try:
            return rules.namespaces(self._client.ask("GET", *self._rules))
        except Absent as problem:
            if "no rule groups found" in str(problem):
                return {}
            where = f"{self._client.url}{self._mimir.prefix}"
            raise Refused(
                f"there is no ruler at {where}: {problem}; look at targets.mimir.prefix and -ruler.enable-api"
            ) from None
        except ValueError as problem:
            raise self._no_mimir(problem) from None

    def _routes(self) -> Iterator[Live]:
        try:
            yield routes.live(self._client.ask("GET", *_ALERTS), self._mimir.tenant)
        except Absent:
            return
        except ValueError as problem:
            raise self._no_mimir(problem) from None

    def _no_mimir(self, problem: ValueError) -> Unreachable:
        return Unreachable(f"what answers at {self._client.url} is not Mimir: {problem}")

    def _group(self, name: str) -> dict[str, object]:
        """One of ours. Raises Absent."""
        try:
            return rules.one_group(self._client.ask("GET", *self._rules, self._me, name))
        except ValueError as problem:
            raise self._no_mimir(problem) from None

    def _ledger(self) -> Ledger:
        try:
            return Ledger.of(self._group(LEDGER))
        except Absent:
            return Ledger()

    def _keep(self, ledger: Ledger) -> None:
        self._client.ask("POST", *self._rules, self._me, body=rules.text(ledger.group()))

    def _now(self, key: Key, title: str) -> Live | None:
        try:
            if key.kind == routes.KIND:
                return next(self._routes(), None)
            return rules.live(self._group(title), self._me)
        except Absent:
            return None

    def _unmoved(self, key: Key, live: Live | None) -> None:
        now = self._now(key, live.title if live else key.name)
        is_there = now is not None and now.key == key
        if is_there != (live is not None) or (now and live and now.revision != live.revision):
            raise Moved(f"{key} of tenant {self._mimir.tenant} has changed since the plan; plan again")

    def _written(self, key: Key) -> Live:
        now = self._now(key, key.name)
        if now is None:
            raise Moved(f"{key} of tenant {self._mimir.tenant} was written and is gone; somebody removes it")
        self._applied[key] = digest(now.document)
        return now
