"""Live figures for a panel of Grafana: pushed to its channel `stream/observatory`, as Influx lines."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field

import requests

from api.bearer import Bearer
from api.live import Live
from contract.live import EVERYWHERE, MEASUREMENT, STREAM

LOG = logging.getLogger("observatory.api")
_SECONDS = 5.0


def lines(figures: bytes) -> str:
    """The figures of all environments together, and of each, as lines `live,environment=… name=value …`.

    >>> lines(b'{"total": {"errors": 2}, "environments": [{"environment": "a b", "errors": 2}]}')
    'live,environment=all errors=2\\nlive,environment=a\\\\ b errors=2'
    """
    found = json.loads(figures)
    rows = [{"environment": EVERYWHERE, **found["total"]}, *found["environments"]]
    return "\n".join(
        f"{MEASUREMENT},environment={_tag(row['environment'])} "
        + ",".join(f"{name}={value}" for name, value in row.items() if name != "environment")
        for row in rows
    )


def _tag(text: str | None) -> str:
    escaped = (text or "none").replace("\n", " ")
    for sign in "\\ ,=":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped


@dataclass(frozen=True)
class Grafana:
    """Where Grafana answers, and the token of a service account; any role may publish."""

    url: str
    token: str = field(repr=False)

    async def follow(self, live: Live) -> None:
        """Pushes every set of figures, until there are no more. A Grafana that does not answer misses some."""
        with live.subscribed("Grafana") as subscriber:
            while True:
                figures = await subscriber.next()
                if subscriber.over:
                    return
                try:
                    problem = await asyncio.to_thread(self._push, lines(figures))
                except Exception:  # a mistake of ours must not end it, unsaid
                    LOG.exception("live figures are not pushed to Grafana")
                    continue
                if problem:
                    LOG.warning("Grafana does not take live figures: %s", problem)

    def _push(self, text: str) -> str:
        try:
            answer = requests.post(
                f"{self.url}/api/live/push/{STREAM}",
                data=text.encode(),
                headers={"Content-Type": "text/plain"},
                auth=Bearer(self.token),
                timeout=_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return type(error).__name__
        return "" if answer.ok else f"it answers {answer.status_code}"
