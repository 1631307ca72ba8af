"""Stable names of dashboards and panels, so that links survive every reordering.

A panel's key is `tab/name`, for example `overview/agent_errors`. Alerts name panels by this key and never import them.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

UID_PREFIX = "observatory-"


def dashboard_uid(tab: str) -> str:
    """Grafana uid of a tab (at most 40 characters)."""
    uid = UID_PREFIX + tab.replace("_", "-")
    if len(uid) > 40:
        raise ValueError(f"the uid of tab {tab} would have {len(uid)} characters; Grafana takes 40")
    return uid


def panel_id(key: str) -> int:
    """Panel id from a key: seven hexadecimal digits of its SHA-256. Two keys of a board that collide fail the build."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:7], 16) or 1


def panel_url(base: str, key: str, labels: tuple[str, ...] = (), time_range: str = "from=now-1h&to=now") -> str:
    """Address of one panel in Grafana, full screen, with the labels of a firing alert as variables.

    The result is Prometheus template text: `{{ $labels.x | urlquery }}` is filled in when the alert fires.
    """
    tab = key.split("/", 1)[0]
    slots = "".join(f"&var-{label}={{{{ $labels.{label} | urlquery }}}}" for label in labels)
    return f"{base}/d/{quote(dashboard_uid(tab))}?{time_range}&viewPanel={panel_id(key)}{slots}"
