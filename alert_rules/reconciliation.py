"""An alert on sources that count less than the others of the same work: rows or traces that were never written."""

from __future__ import annotations

from alert_rules.model import Alert, AlertGroup, Flow, MetricCheck, Severity, TableCheck
from alert_rules.stories import Story, standard
from contract.settings import Settings
from contract.signals.sources import DATA_AGE, LEDGER_LAG
from contract.values import duration_seconds
from recording_rules.reconciliation import ACCOUNTED, WORK

GROUP = AlertGroup("reconciliation_alerts", "1m")
SOURCE = ("environment", "source")

_MISSING_SQL = """\
SELECT environment, agent_name, count(*) AS executions, count(*) FILTER (WHERE trace_id IS NULL) AS without_trace,
       count(*) FILTER (WHERE end_time IS NULL) AS not_ended
FROM analytics.agent_executions
WHERE start_time >= :'since'
GROUP BY environment, agent_name
ORDER BY without_trace DESC
LIMIT 20;"""


def _lost(alert: Alert, settings: Settings) -> Story:
    """All three count the same work, and Langfuse gets but a part of it."""
    environment = ("environment", settings.environments[0])
    limit, step = alert.limit(settings), duration_seconds(settings.sources.prometheus.scrape_interval)

    def counted(per_minute: float, traces: float) -> tuple[Flow, ...]:
        run = (("agent", "billing"), environment, ("status", "success"), ("version", "1.4.0"))
        return (
            Flow("agent_queries_total", run, per_minute),
            Flow("platform_executions_total", run, per_minute),
            Flow("langfuse_traces_total", run[:2], per_minute * traces),
        )

    busy, few = 10.0 * settings.thresholds.minimum_accounted * 60 / step, settings.thresholds.minimum_accounted / 120
    shows, labels = limit / 2, (environment, ("source", "langfuse"))
    bad, good, sparse = counted(busy, shows), counted(busy, (1 + limit) / 2), counted(few, shows)
    return Story(labels, bad, good, shows, sparse, begins=alert.window_seconds - step)  # judged are whole hours


LOST = Alert(
    name="SourceLosesEvents",
    group=GROUP,
    concern="reconciliation",
    signal=ACCOUNTED,
    by=SOURCE,
    window="1h",
    comparison="<",
    threshold="accounted_share",
    hold="30m",
    keep_firing_for="15m",
    severity=Severity.WARNING,
    team="platform",
    summary="A source counts less work than the others do.",
    description="Of the agent queries of the last {window} in {environment}, {source} knows {value}; below {threshold} is "
    "more than "
    "lateness explains. It has been so for {hold}.",
    meaning="The platform's counters, the rows of the database and the traces of Langfuse count the same agent queries. The "
    "source "
    "that is named has fewer than the one with the most, for longer than rows and traces take to arrive.",
    impact="All figures of this source are too small: success and users for postgres, cost and tokens for langfuse, the "
    "alerts on "
    "errors and latency for platform.",
    checks=(
        MetricCheck("Which source lacks how much?", ACCOUNTED, SOURCE, "1h"),
        MetricCheck("What does each count? Draw it over a day.", WORK, SOURCE, "1h"),
        MetricCheck("Are the figures of a source old?", DATA_AGE, ("source",)),
        MetricCheck("How old is the newest call in the ledger?", LEDGER_LAG, ("source",)),
        TableCheck("Which agents have executions without a trace, or that never end?", _MISSING_SQL),
    ),
    next_steps=(
        "langfuse: look for errors of the Langfuse client in the agents' logs; full queues drop traces, and a short-lived "
        "process "
        "has to flush them before it ends.",
        "langfuse, with traces there but not here: see LedgerBehind, and whether sampling is switched on in the client.",
        "postgres: find the agent whose executions are missing; its last transaction fails, or it writes with another status "
        "column.",
        "platform: a target is not scraped, or a process counts nothing: hold the list of targets against the running "
        "replicas.",
        "An agent works without any model call, and so without a trace: lower `thresholds.accounted_share`.",
    ),
    scenarios=standard(_lost),
)

ALERTS = (LOST,)
