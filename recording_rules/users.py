"""Recorded rates of logins. Few log in within a minute, so they are read over an hour, by the
alert on failed ones over a quarter of it."""

from __future__ import annotations

from contract.signals.users import LOGIN_SUCCESS_RATIO, LOGINS
from recording_rules.model import Group, RecordedRate, RecordedSignal

GROUPS = (
    Group("login_quarter_rates", "30s", (RecordedRate(LOGINS.leaf, "logins", ("result",), "15m"),), level=0),
    Group("login_rates", "1m", (RecordedRate(LOGINS.leaf, "logins", ("result",), "1h"),), level=0),
    Group("login_figures", "1m", (RecordedSignal(LOGIN_SUCCESS_RATIO, "login_success", (), "1h"),), level=1),
)
