"""The settings of the running stack: what a person configured, with the addresses and secrets that the stack gave out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from contract.notifications import Slack, Smtp
from contract.settings import Settings
from demo.stack import secrets
from demo.stack.ports import LOOPBACK
from exporters.database.roles import Role

ENVIRONMENTS = ("production", "staging", "development")
"""Environments of the synthetic platform; each is a scrape target."""

INTERFACE_PRICES = [
    {"name": name, "usd_per_call": usd}
    for name, usd in {"orders-api": 0.0004, "billing-api": 0.0012, "crm-api": 0.002, "search-api": 0.005}.items()
]
"""Of the synthetic platform's interfaces; the directory is its own and costs nothing."""

OWNER_DSN, READ_DSN, ADVANCE_DSN, USER_KEY = "postgres_owner_dsn", "postgres_read_dsn", "postgres_advance_dsn", "user_key"
ACTIONS_DSN = "postgres_actions_dsn"
"""Files of secrets. Only what writes the platform's rows connects as their owner; the last is for people's commands."""

LOGINS = (Role.ADVANCE, Role.READ, Role.GRAFANA_ADMIN, Role.GRAFANA_BUSINESS, Role.ACTIONS)


def password_file(role: Role) -> str:
    """Name of the file with a role's password."""
    return f"{role}_password"


@dataclass(frozen=True)
class Server:
    """Where the database is: `host` is a name and a port."""

    host: str
    database: str
    sslmode: str


def address(ports: Mapping[str, int], name: str) -> str:
    """Address of a part that speaks HTTP."""
    return f"http://{LOOPBACK}:{ports[name]}"


def of_stack(
    configured: Settings, ports: Mapping[str, int], var: Path, server: Server, links_to: str, plan: str | None = None
) -> Settings:
    """Settings for every part of the stack. `links_to` is the address where people open dashboards, `plan` the one that the
    Langfuse stand-in counts requests against.

    Notifications go to the sinks unless a webhook file or a mail server was given; Langfuse is the stand-in unless
    LANGFUSE_BASE_URL names one.
    """
    kept = var / "secrets"
    postgres = {
        "dsn_file": str(kept / READ_DSN),
        "advance_dsn_file": str(kept / ADVANCE_DSN),
        "user": Role.GRAFANA_BUSINESS.value,
        "password_file": str(kept / password_file(Role.GRAFANA_BUSINESS)),
        "administration": {"password_file": str(kept / password_file(Role.GRAFANA_ADMIN))},
        **asdict(server),
    }
    targets = [
        {"environment": name, "address": f"{LOOPBACK}:{ports['platform']}", "path": f"/metrics/{name}"} for name in ENVIRONMENTS
    ]
    notifications: dict[str, Any] = {"history_url": address(ports, "inbox") + "/alerts"}
    if not gives_slack(configured):
        notifications["slack"] = {"webhook_url_file": str(kept / "slack_webhook_url")}
    if configured.notifications.smtp == Smtp():
        notifications["smtp"] = {"smarthost": f"{LOOPBACK}:{ports['smtp']}"}
    changes = {
        "sources": {
            "prometheus": {"url": address(ports, "prometheus")},
            "alertmanager": {"url": address(ports, "alertmanager")},
            "grafana": {"url": links_to},
            "postgres": postgres,
            "langfuse": _langfuse(ports, kept, plan),
        },
        "scrape": {"platform": targets, "exporter": [f"{LOOPBACK}:{ports['exporter']}"]},
        "database": {
            "user_key_file": str(kept / USER_KEY),
            "content": True,  # nobody's words: the people of the synthetic platform do not exist
            "logins": {role.value: str(kept / password_file(role)) for role in LOGINS},
        },
        "load_tests": configured.load_tests.model_dump()
        if configured.load_tests.targets
        else {"targets": [_load_target(ports)]},
        "interface_prices": [price.model_dump() for price in configured.interface_prices] or INTERFACE_PRICES,
        "exporter": {"listen": f"{LOOPBACK}:{ports['exporter']}"},
        "notifications": notifications,
        "runbook_url": address(ports, "inbox") + "/runbooks",
    }
    return Settings.model_validate(_merged(configured.model_dump(), changes))


def _load_target(ports: Mapping[str, int]) -> dict[str, Any]:
    """The synthetic platform answers without counting what nobody asked."""
    return {"environment": "staging", "url": f"{address(ports, 'platform')}/ask/{{agent}}", "per_second": 20, "at_once": 50}


def gives_slack(configured: Settings) -> bool:
    """Whether a person named a webhook file. The default beside observatory.yaml is the one of the containers."""
    default = Slack().webhook_url_file
    return bool(os.environ.get("SLACK_WEBHOOK_URL_FILE")) or not configured.notifications.slack.webhook_url_file.endswith(
        default
    )


def real_langfuse() -> str | None:
    """Address of the Langfuse that the environment names in place of the stand-in."""
    return os.environ.get("LANGFUSE_BASE_URL") or None


def _langfuse(ports: Mapping[str, int], kept: Path, plan: str | None) -> dict[str, str]:
    if real := real_langfuse():
        return {"base_url": real}
    keys = {f"{kind}_key_file": str(kept / f"langfuse_{kind}_key") for kind in ("public", "secret")}
    return {"base_url": address(ports, "langfuse"), **keys, **({"plan": plan} if plan else {})}


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `changes`, which go as deep as they need."""
    deeper = {
        key: _merged(base.get(key) or {}, value) if isinstance(value, Mapping) else value for key, value in changes.items()
    }
    return {**base, **deeper}


def write(settings: Settings, var: Path) -> Path:
    """`observatory.yaml` of the stack, for `observatory … --config`; only its owner may read it."""
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return secrets.write(
        var / "observatory.yaml", "# Written by `observatory up`: the configuration of the running stack.\n" + text
    )
