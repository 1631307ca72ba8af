"""How many people look: Grafana says of each of its accounts when it was last there, and its log says at what.

Counts alone are kept: no name leaves this module.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import requests

from api.bearer import Bearer
from api.opened import Opened, Unreadable
from contract.viewers import ACCOUNTS, VIEWERS, WINDOWS

LOG = logging.getLogger("observatory.api")
ASKED_EVERY, FORGOTTEN_AFTER = timedelta(minutes=5), timedelta(hours=1)
"""An answer that is older is not shown: nobody knows any more."""
_SECONDS = 10.0


def _now() -> datetime:
    return datetime.now(UTC)


class NotSaid(Exception):
    """Grafana does not say it. The text says why, without the token."""


@dataclass
class Viewers:
    """Where Grafana answers, and a service account with the role Admin, which may list the accounts of its organisation.

    `opened` is its log, where that may be read.
    """

    url: str
    token: str = field(repr=False)
    now: Callable[[], datetime] = _now
    opened: Opened | None = None
    _seen: tuple[datetime, ...] = ()
    _asked: datetime | None = None
    _read: datetime | None = None

    async def follow(self) -> None:
        """Asks again and again, until it is cancelled."""
        while True:
            for look in (self.ask, self.read):
                try:
                    while await asyncio.to_thread(look):
                        pass  # there is more of the log
                except NotSaid as problem:
                    LOG.warning("viewers are not counted: %s", problem)
            await asyncio.sleep(ASKED_EVERY.total_seconds())

    def page(self) -> str:
        """The figures as Prometheus reads them; nothing while they are not known."""
        return self._accounts() + self._tabs()

    def _tabs(self) -> str:
        now = self.now()
        if self.opened is None or self._read is None or now - self._read > FORGOTTEN_AFTER:
            return ""
        return self.opened.page(now)

    def _accounts(self) -> str:
        now = self.now()
        if self._asked is None or now - self._asked > FORGOTTEN_AFTER:
            return ""
        lines = [f"# HELP {VIEWERS.name} {VIEWERS.help}", f"# TYPE {VIEWERS.name} gauge"]
        for name, days in WINDOWS.items():
            active = sum(now - timedelta(days=days) <= at for at in self._seen)
            lines.append(f'{VIEWERS.name}{{window="{name}"}} {active}')
        lines += [f"# HELP {ACCOUNTS.name} {ACCOUNTS.help}", f"# TYPE {ACCOUNTS.name} gauge"]
        lines.append(f"{ACCOUNTS.name} {len(self._seen)}")
        return "\n".join(lines) + "\n"

    def read(self) -> bool:
        """Reads what is new in the log, if there is one, and says whether there is more. Raises NotSaid."""
        if self.opened is None:
            return False
        now = self.now()
        try:
            more = self.opened.read(now)
        except Unreadable as problem:
            raise NotSaid(str(problem)) from None
        if not more:  # figures of a part of it would be too small
            self._read = now
        return more

    def ask(self) -> None:
        """Asks once. Raises NotSaid, and knows what it knew before."""
        own = Bearer(self.token)
        try:
            answer = requests.get(f"{self.url}/api/org/users", auth=own, timeout=_SECONDS, allow_redirects=False)
            if answer.status_code in (401, 403):
                raise NotSaid(f"Grafana answers {answer.status_code}; the token needs the role Admin")
            answer.raise_for_status()
            known = [user for user in answer.json() if not user.get("isDisabled")]
            self._seen = tuple(datetime.fromisoformat(user["lastSeenAt"]).astimezone(UTC) for user in known)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            raise NotSaid("what Grafana answers is no list of accounts") from None
        except requests.RequestException as error:
            raise NotSaid(type(error).__name__) from None
        self._asked = self.now()
