"""Alerts on what watching costs and keeps: questions of the exporter that take long, figures that are forgotten early."""

from __future__ import annotations

from alert_rules.accounts import beyond
from alert_rules.exporter import QUERY
from alert_rules.model import Alert, AlertGroup, Flow, MetricCheck, Severity
from alert_rules.stories import Story, standard
from alert_rules.watching import INSTANCE
from contract.settings import Settings
from contract.signals.sources import DATA_AGE, PROMETHEUS_LOADED, QUERY_AGE, QUERY_TIME
from contract.signals.stores import TABLE_SIZE
from contract.values import duration_seconds
from recording_rules.forecast import STORAGE_LEFT
from recording_rules.retention import RETENTION_KEPT

GROUP = AlertGroup("upkeep_alerts", "1m")
_PROMETHEUS = (("job", "prometheus"), ("instance", "127.0.0.1:9090"))


def _forgets(alert: Alert, settings: Settings) -> Story:
    """It keeps half of what it should, or just that; whether anything happens plays no part."""
    wanted, limit = duration_seconds(settings.sources.prometheus.retention), alert.limit(settings)
    half, whole = ((Flow("prometheus_tsdb_retention_limit_seconds", _PROMETHEUS, wanted * share),) for share in (limit / 2, 1))
    return Story(_PROMETHEUS, half, whole, limit / 2, still=whole)


QUERY_SLOW = Alert(
    name="ExporterQuerySlow",
    group=GROUP,
    concern="exporter-query-time",
    signal=QUERY_TIME,
    by=QUERY,
    window="1m",
    comparison=">",
    threshold="query_seconds",
    hold="15m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="A question of the exporter takes too long.",
    description="The query {query} on {source} takes {value}; more than {threshold} for {hold}.",
    meaning="One question that the exporter asks on its cycle takes more of the database than was set aside for it.",
    impact="None yet. At `exporter.query_timeout` it fails, and its figures stand still; until then it slows down others.",
    checks=(
        MetricCheck("Which queries take long?", QUERY_TIME, QUERY),
        MetricCheck("Do they still succeed?", QUERY_AGE, QUERY),
        MetricCheck("Are figures old because of it?", DATA_AGE, ("source",)),
        MetricCheck("Which tables are the largest?", TABLE_SIZE, ("table",)),
    ),
    next_steps=(
        "`observatory db status` lists indexes to create and our slowest statements in their own words.",
        "It began at a certain hour: a migration dropped an index, or `ANALYZE` did not run after a large import.",
        "All queries at once: the database is busy with something else; see `pg_stat_activity` for what waits.",
        "The table has simply grown: ask more rarely (`exporter.intervals`), and keep less (`database.retention`).",
    ),
    scenarios=standard(beyond("exporter_query_duration_seconds", (("query", "users"), ("source", "postgres")))),
)
FORGETS_EARLY = Alert(
    name="PrometheusForgetsEarly",
    group=GROUP,
    concern="retention",
    signal=RETENTION_KEPT,
    by=INSTANCE,
    window="1m",
    comparison="<",
    threshold=1.0,
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="Prometheus keeps figures for a shorter time than rules look back.",
    description="{job} {instance} keeps figures for {value} of the time that rules and panels are built for.",
    meaning="Rules were built for `sources.prometheus.retention`, and this Prometheus was started with less.",
    impact="Service levels over 30 days are figures of fewer days, panels lack last month, and bands know fewer weeks.",
    checks=(
        MetricCheck("How much of the time does each Prometheus keep?", RETENTION_KEPT, INSTANCE),
        MetricCheck("Does it run with its newest configuration?", PROMETHEUS_LOADED, INSTANCE),
        MetricCheck("How long does its disk last? Draw it over a week.", STORAGE_LEFT, ()),
    ),
    next_steps=(
        "Start Prometheus with `--storage.tsdb.retention.time` of at least `sources.prometheus.retention`; nothing comes back, "
        "but nothing more is lost.",
        "Its disk does not hold that much: write the shorter time into `observatory.yaml` and build; `observatory check` then "
        "names every rule that looks back further.",
        "It sends its figures to a store that keeps them longer: let `sources.prometheus.url` be that store.",
    ),
    scenarios=standard(_forgets),
)

ALERTS = (QUERY_SLOW, FORGETS_EARLY)
