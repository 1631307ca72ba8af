"""Who looks at dashboards, as the query API counts it where it may ask Grafana."""

from __future__ import annotations

from contract.metrics import Metric, MetricType, Source

JOB = "api"
WINDOWS = {"1d": 1, "7d": 7}
"""Days of each value of the label `window`."""
_ABSENT = "nobody asks Grafana: api.viewers is off, or the token may not list accounts"


def _gauge(name: str, labels: tuple[str, ...], words: str) -> Metric:
    return Metric(name, MetricType.GAUGE, labels, words, Source.FOREIGN, absent=_ABSENT)


VIEWERS = _gauge("observatory_viewers", ("window",), "Accounts of Grafana that were there in the window")
ACCOUNTS = _gauge("observatory_viewer_accounts", (), "Accounts of Grafana's organisation that are not disabled")
TAB_VIEWERS = Metric(
    "observatory_tab_viewers", MetricType.GAUGE, ("tab", "window"), "Accounts of Grafana that looked at a tab in the window",
    Source.FOREIGN, absent="nobody reads Grafana's log: api.viewers_log names none",
)  # fmt: skip
METRICS = (VIEWERS, ACCOUNTS, TAB_VIEWERS)
