"""Commands as people give them on the living stack, and what tables show of them."""

from __future__ import annotations

import json
import shlex
import time
from typing import Any

from psycopg.rows import dict_row

from dashboards.lib.panel import Panel
from dashboards.observatory import wishes
from demo.stack.effective import ACTIONS_DSN
from exporters.database.roles import Role
from provisioning.interpolation import Span, sql_macros, substitute
from tests.integration.conftest import LivingStack


def act(stack: LivingStack, *words: str) -> dict[str, Any]:
    dsn_file = str(stack.var / "secrets" / ACTIONS_DSN)
    done = stack.observatory(*words, "--yes", "--actor", "ada", "--format", "json", "--dsn-file", dsn_file)
    assert done.returncode == 0, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def take_back(stack: LivingStack, *done: dict[str, Any]) -> None:
    for change in reversed(done):
        act(stack, *shlex.split(change["rollback"])[1:])


def wish(stack: LivingStack, agent: str, setting: str, environment: str = "production") -> dict[str, Any]:
    """The last wish for a setting, as the tab shows it."""
    about = (agent, environment, setting)
    return next(row for row in shown(stack, wishes.settings()) if (row["agent"], row["environment"], row["setting"]) == about)


def shown(stack: LivingStack, panel: Panel) -> list[dict[str, Any]]:
    """The rows of a table with every filter open, as its data source gives them now."""
    [query] = panel.targets
    text = substitute(query.text, lambda name, _: None if name.startswith("__") else ".*")
    now = time.time()
    with stack.database as database, database.cursor(row_factory=dict_row) as cursor:
        database.execute(f"SET ROLE {Role.GRAFANA_ADMIN}".encode())
        return cursor.execute(sql_macros(text, Span(now - 86400, now + 60, 60)).encode()).fetchall()
