"""What people want an agent to be configured with: a row of `analytics.configuration_desired`, which the platform acts on.

A wish is never changed; a new one has the next version. What the platform made of it stands in
`analytics.configuration_observed`: the version that it acted on, the value that is in force, and why it refused where it did.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from psycopg.types.json import Jsonb

from contract.values import duration_text
from provisioning.actions.action import Change
from provisioning.actions.audit import Connection
from provisioning.actions.places import refuse_unknown
from provisioning.findings import InputError, closest

SETTING = re.compile(r"[a-z][a-z0-9_.]{0,59}")
CACHE = "cache."
_DESIRED = """
SELECT version, value FROM analytics.configuration_desired
WHERE agent = %(agent)s AND environment = %(environment)s AND setting = %(setting)s ORDER BY version DESC LIMIT 1
"""
_OBSERVED = """
SELECT setting, value FROM analytics.configuration_observed
WHERE agent = %(agent)s AND environment = %(environment)s ORDER BY setting
"""
_ASK = """
INSERT INTO analytics.configuration_desired (agent, environment, setting, version, value, reason)
VALUES (%(agent)s, %(environment)s, %(setting)s, %(version)s, %(value)s, %(reason)s)
"""
_LISTED = """
SELECT DISTINCT ON (agent, environment, setting)
  agent, environment, setting, d.version, d.value AS desired, d.reason, d.asked_at,
  CASE WHEN o.version >= d.version THEN o.state ELSE 'asked' END AS state, o.value AS observed,
  CASE WHEN o.version >= d.version THEN o.said ELSE '' END AS said
FROM analytics.configuration_observed o FULL JOIN analytics.configuration_desired d USING (agent, environment, setting)
WHERE (%(agent)s = '' OR agent = %(agent)s) AND starts_with(setting, %(prefix)s)
ORDER BY agent, environment, setting, d.version DESC
"""


@dataclass(frozen=True)
class Setting:
    """Asks for a value (any JSON but null) of a setting of an agent; None: for what the platform takes by itself.

    `evidence` is recorded with it: what it is based on. `called` is the command, where it is not that of the setting.
    """

    agent: str
    environment: str
    setting: str
    value: Any
    reason: str = ""
    said: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    called: str = ""
    reads_database: ClassVar[bool] = True

    def planned(self, connection: Connection | None) -> Change:
        assert connection is not None
        refuse_unknown(connection, self.agent, self.environment)
        self._refuse_what_is_odd(connection)
        last = connection.execute(_DESIRED, self._key).fetchone()
        asked = None if last is None else last[1]
        before = None if asked is None else {"value": asked}
        after = None if self.value is None else {"value": self.value}
        told = dict(connection.execute(_OBSERVED, self._key).fetchall())
        lines = tuple(
            f"  {line}"
            for line in (
                f"in force is {told_value(told[self.setting])}" if self.setting in told else "",
                f"because: {self.reason}" if self.reason else "",
                *self.said,
            )
            if line
        )
        target = f"configuration {self.agent} {self.environment} {self.setting}"
        if self.setting.startswith(CACHE):
            name = f"cache {_of_cache(self.agent, self.value)[0]}"
        else:
            name = "configure set" if after else "configure unset"
        back = command(self.agent, self.environment, self.setting, asked)
        evidence = {"reason": self.reason, **self.evidence}
        return Change(self.called or name, target, before, after, back, lines, evidence)

    def carry_out(self, connection: Connection, change: Change) -> Callable[[], None]:  # noqa: ARG002 - it says what is done here
        last = connection.execute(_DESIRED, self._key).fetchone()
        value = None if self.value is None else Jsonb(self.value)
        values = {"version": 1 if last is None else last[0] + 1, "value": value, "reason": self.reason}
        connection.execute(_ASK, self._key | values)
        return lambda: None

    @property
    def _key(self) -> dict[str, Any]:
        return {"agent": self.agent, "environment": self.environment, "setting": self.setting}

    def _refuse_what_is_odd(self, connection: Connection) -> None:
        if not SETTING.fullmatch(self.setting):
            raise InputError(f"error: {self.setting[:60]} is no name of a setting: small letters, digits, dots and underscores")
        known = [name for name, _ in connection.execute(_OBSERVED, self._key).fetchall()]
        if known and self.setting not in known:
            near = closest(self.setting, known)
            raise InputError(f"error: the platform knows no setting {self.setting} of {self.agent}; {near}")


def command(agent: str, environment: str, setting: str, value: Any) -> str:
    """The command that asks for a value; None: for the platform's own."""
    kind = setting.removeprefix(CACHE)
    if setting.startswith(CACHE):
        words = ["cache", *_of_cache(agent, value), *([] if kind == "response" else ["--kind", kind])]
    elif value is None:
        words = ["configure", "unset", agent, setting]
    else:
        words = ["configure", "set", agent, setting, json.dumps(value)]
    return shlex.join(["observatory", *words, "--environment", environment])


def _of_cache(agent: str, value: Any) -> list[str]:
    if value is None:
        return ["reset", agent]
    if not value["ttl_seconds"]:
        return ["off", agent]
    rules = [word for rule in value["invalidate_on"] for word in ("--invalidate-on", rule)]
    return ["set", agent, "--ttl", duration_text(value["ttl_seconds"]), *rules]


def told_value(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, dict) and "ttl_seconds" in value:
        rules = value.get("invalidate_on") or ()
        kept = f"kept {duration_text(value['ttl_seconds'])}" if value["ttl_seconds"] else "off"
        return f"{kept}, dropped on {', '.join(rules)}" if rules and value["ttl_seconds"] else kept
    return json.dumps(value, ensure_ascii=False)


def parsed(text: str) -> Any:
    """A value as people write it: a number, true or false as JSON has them; anything else is a word. Raises InputError."""
    try:
        found = json.loads(text, parse_constant=lambda _: None)
    except ValueError:
        found = text
    if not isinstance(found, str | int | float | bool) or len(text) > 200 or not _keepable(found):
        raise InputError(
            f"error: {json.dumps(text[:60], ensure_ascii=False)} is no value; write a number, true, false, or a word"
        )
    return found


def _keepable(value: str | float) -> bool:
    """Whether PostgreSQL keeps it: letters that are none, and numbers beyond all, it does not."""
    if isinstance(value, str):
        return bool(value.strip()) and "\x00" not in value and value == value.encode(errors="replace").decode()
    return math.isfinite(value)


def listed(connection: Connection, agent: str, prefix: str) -> list[dict[str, Any]]:
    """The last wish for each setting and what the platform says of it; settings that nobody asked for have no version."""
    rows = connection.execute(_LISTED, {"agent": agent, "prefix": prefix})
    names = [column.name for column in rows.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
