"""How a report is made by itself: a line for cron, and a service with its timer for systemd. Both are printed only."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.notifications import WEEK
from provisioning.findings import InputError

_DAYS = r"(?:daily|weekly:(?P<day>[a-z]+)|monthly:(?P<date>[1-9]|1\d|2[0-8]))"
_FORM = re.compile(_DAYS + r"@(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)")


@dataclass(frozen=True)
class Times:
    """When, in the words of cron and of systemd."""

    cron: str
    systemd: str


def times(text: str) -> Times:
    """`daily@07:00`, `weekly:monday@07:00` or `monthly:1@07:00`. Raises InputError."""
    found = _FORM.fullmatch(text)
    if not found or (found["day"] and found["day"] not in WEEK):
        raise InputError(
            f"error: --schedule {text}: write daily@07:00, weekly:monday@07:00, or monthly:1@07:00 (a day up to the 28th)"
        )
    hour, minute = int(found["hour"]), int(found["minute"])
    clock = f"{hour:02d}:{minute:02d}:00 UTC"
    if found["day"]:
        return Times(f"{minute} {hour} * * {WEEK.index(found['day'])}", f"{found['day'][:3].title()} *-*-* {clock}")
    if found["date"]:
        return Times(f"{minute} {hour} {found['date']} * *", f"*-*-{int(found['date']):02d} {clock}")
    return Times(f"{minute} {hour} * * *", f"*-*-* {clock}")


def printed(when: Times, command: Sequence[str], folder: Path, tab: str) -> str:
    """What to copy: `command` is run in `folder`."""
    shell = f"cd {shlex.quote(str(folder))} && {shlex.join(command)}".replace("%", r"\%")
    return f"""\
# For cron (crontab -e), whose times are of this machine's time zone
{when.cron} {shell}

# For systemd: /etc/systemd/system/observatory-report-{tab}.service
[Unit]
Description=Report of the tab {tab}
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={_unit(str(folder))}
ExecStart={" ".join(_word(word) for word in command)}

# For systemd: /etc/systemd/system/observatory-report-{tab}.timer
[Unit]
Description=When the report of the tab {tab} is made

[Timer]
OnCalendar={when.systemd}
Persistent=true

[Install]
WantedBy=timers.target"""


def _unit(text: str) -> str:
    return text.replace("%", "%%")


def _word(word: str) -> str:
    escaped = _unit(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"' if re.search(r"[\s\"'\\;]", word) or not word else escaped
