"""Whether Grafana has the dashboards and the data sources that they name. Without a token Grafana is left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator

from contract.settings import Settings
from provisioning.findings import Finding, InputError, Unreachable, error
from provisioning.plan.target import Refused
from provisioning.targets.grafana.client import TOKEN_VARIABLE, Absent, Client, connected

_CHECK = "doctor/dashboards"
_APPLY = "`observatory apply --only grafana` brings it there"


def troubles(settings: Settings) -> Iterator[Finding]:
    """What keeps a dashboard from loading in Grafana."""
    if not os.environ.get(TOKEN_VARIABLE, "").strip() and not settings.sources.grafana.token_file:
        return
    try:
        client = connected(settings, pause=lambda _: None)
        missing = list(_missing(client, settings))
    except InputError as problem:
        yield error("Grafana", str(problem).removeprefix("error: "), "", _CHECK)
    except Unreachable as problem:
        yield error("Grafana", str(problem), "start it, or correct sources.grafana.url", _CHECK)
    except Refused as problem:
        yield error("Grafana", str(problem), "give the service account the role Editor: docs/grafana.md", _CHECK)
    else:
        yield from missing


def _missing(client: Client, settings: Settings) -> Iterator[Finding]:
    from dashboards.catalogue import TABS

    prometheus, postgres = settings.sources.prometheus, settings.sources.postgres
    logins = dict.fromkeys((postgres.uid, postgres.uid_of("Administration")))
    for name, uid in (("Prometheus", prometheus.uid), *(("PostgreSQL", uid) for uid in logins)):
        try:
            client.get(f"/api/datasources/uid/{uid}")
        except Absent:
            said = f"there is no data source with uid {uid} ({name}): every panel that reads it says so"
            yield error(client.url, said, f"{_APPLY}, or sources.*.uid names the one that is there", _CHECK)
    for tab in TABS:
        uid = tab.dashboard(settings)["uid"]
        try:
            client.get(f"/api/dashboards/uid/{uid}")
        except Absent:
            yield error(client.url, f"the dashboard {uid} is not there, or this token may not see its folder", _APPLY, _CHECK)
