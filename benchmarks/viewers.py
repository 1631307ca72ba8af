"""Who looks at the dashboards: Grafana says of each of its users when they were last there, and its log says at which tab."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from api.opened import Opened, Unreadable
from dashboards.catalogue import TABS
from provisioning import config
from provisioning.findings import InputError
from provisioning.plan.target import Refused
from provisioning.targets.grafana.client import Absent, connected

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Viewers:
    """People with an account in the organisation, and those of them who were there within a day."""

    users: int
    active: int

    @property
    def share(self) -> float:
        """Percent."""
        return 100.0 * self.active / self.users


def by_tab(now: datetime) -> dict[str, int]:
    """How many looked at each tab within a day; none where no log is named (`api.viewers_log`). Raises InputError."""
    log = config.chosen(None).api.viewers_log
    if log is None:
        return {}
    opened = Opened(Path(log), {tab.uid: tab.key for tab in TABS})
    try:
        while opened.read(now):
            pass
    except Unreadable as problem:
        raise InputError(f"Grafana's log does not say who looks: {problem}") from None
    return {tab: count for tab, window, count in opened.viewers(now) if window == "1d"}


def of_grafana(now: datetime) -> Viewers:
    """Asks the Grafana of the configuration, with its token, which needs the role Admin. Raises InputError, Unreachable."""
    try:
        found = connected(config.chosen(None), pause=lambda _: None).get("/api/org/users")
    except (Refused, Absent) as problem:
        raise InputError(f"Grafana does not say who its users are: {problem}; the token needs the role Admin") from None
    seen = [datetime.fromisoformat(user["lastSeenAt"]) for user in found if not user.get("isDisabled")]
    if not seen:
        raise InputError("Grafana has no users")
    return Viewers(len(seen), sum(now - DAY <= at for at in seen))
