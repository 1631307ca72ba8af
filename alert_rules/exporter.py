"""Alerts on the exporter and what it keeps: sources that it cannot reach, figures that grow old, counts that may be wrong."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.accounts import beyond
from alert_rules.model import Alert, AlertGroup, MetricCheck, Severity
from alert_rules.stories import events, level, moment, standard
from contract.signals.sources import (
    DATA_AGE,
    LEDGER_LAG,
    OVERFLOW,
    QUERY_AGE,
    QUERY_SUCCESS,
    REQUESTS_LEFT,
    ROLLUP_AGE,
    ROLLUP_DRIFT,
    ROLLUP_REBUILD,
    SOURCE_UP,
    TRUNCATED,
)

GROUP = AlertGroup("exporter_alerts", "30s")
SOURCE = ("source",)
QUERY = ("source", "query")
_POSTGRES, _LANGFUSE = (("source", "postgres"),), (("source", "langfuse"),)
_EXECUTIONS = (("source", "executions"),)

_ROLLUPS = MetricCheck("Which roll-ups stand still, and for how long?", ROLLUP_AGE, SOURCE)
_QUERIES = MetricCheck("Which queries of the exporter fail?", QUERY_SUCCESS, QUERY)
_REACHED = MetricCheck("Which sources does the exporter reach?", SOURCE_UP, SOURCE)
_AGES = MetricCheck("How old are the figures of each source?", DATA_AGE, SOURCE)
_REBUILDS = MetricCheck("Which sources have to be counted anew?", ROLLUP_REBUILD, SOURCE)
_DRIFTS = MetricCheck("Which sources drift, and by how much?", ROLLUP_DRIFT, SOURCE)

SOURCE_DOWN = Alert(
    name="SourceDown",
    group=GROUP,
    concern="source",
    signal=SOURCE_UP,
    by=SOURCE,
    window="1m",
    comparison="<",
    threshold=1.0,
    hold="2m",
    keep_firing_for="2m",
    severity=Severity.CRITICAL,
    team="platform",
    summary="The exporter cannot reach a source of figures.",
    description="The exporter has not reached {source} for {hold}; figures from there are the last good ones, and grow old.",
    meaning="No replica of the exporter gets an answer from the source: it is down, the way to it is, or the login was "
    "refused. It mutes the alerts that are made from this source's figures.",
    impact="Panels from this source show the past and then nothing. For PostgreSQL, the platform itself may be "
    "without its database.",
    checks=(_REACHED, _QUERIES, _AGES),
    next_steps=(
        "The exporter's log has the reason in one line: connection refused, a wrong password, a certificate, HTTP 401 or 429.",
        "PostgreSQL refuses connections for the platform too: that is the incident; follow the database's own runbook.",
        "Login refused: somebody rotated a password or key; put the new one into the secret file, the exporter reads it again.",
        "Nothing is lost meanwhile: roll-ups and ledger go on where they stopped.",
    ),
    scenarios=standard(level("exporter_source_up", _POSTGRES, bad=0.0, good=1.0, still=1.0)),
)
DATA_TOO_OLD = Alert(
    name="DataTooOld",
    group=GROUP,
    concern="source",
    signal=DATA_AGE,
    by=SOURCE,
    window="1m",
    comparison=">",
    threshold="data_age_seconds",
    hold="1m",
    keep_firing_for="2m",
    severity=Severity.WARNING,
    team="platform",
    summary="The figures of a source are too old to be trusted.",
    description="What is shown from {source} is {value} old; up to {threshold} is normal. Whether all is well is unknown.",
    meaning="The newest figures that the exporter has from the source stand for a moment that is too long ago. Alerts on them "
    "are held back, because they would tell of the past.",
    impact="Nobody sees or is told what happens there now.",
    checks=(_AGES, _REACHED, MetricCheck("How many requests to the source are left?", REQUESTS_LEFT, ("api",)), _QUERIES),
    next_steps=(
        "SourceDown fires too: follow that one.",
        "Only one query is old: see ExporterQueryFailing; a timeout means that the database is busy or an index is missing.",
        "Langfuse's request budget is used up: wait for its next period, or name a larger plan in `sources.langfuse.plan`.",
        "Langfuse is slow to take calls in: look at the queue of its worker; late calls are counted when they come.",
    ),
    scenarios=standard(moment("exporter_source_data_timestamp_seconds", _LANGFUSE, remembered=3600.0)),
)
QUERY_FAILING = Alert(
    name="ExporterQueryFailing",
    group=GROUP,
    concern="exporter-query",
    signal=QUERY_SUCCESS,
    by=QUERY,
    window="1m",
    comparison="<",
    threshold=1.0,
    hold="5m",
    keep_firing_for="2m",
    severity=Severity.WARNING,
    team="platform",
    summary="A query of the exporter fails.",
    description="The query {query} on {source} has failed for {hold}.",
    meaning="One question that the exporter asks on its cycle gets an error or no answer in time, on every replica.",
    impact="The figures of this one question stay as they were, and are dropped once they are too old. Others go on.",
    checks=(
        _QUERIES,
        MetricCheck("When did each last succeed?", QUERY_AGE, QUERY),
        _REACHED,
    ),
    next_steps=(
        "The exporter's log names the query and PostgreSQL's own words. `permission denied`: run `observatory db upgrade` as "
        "the owner. `relation does not exist`: a migration of the platform changed a table; run `observatory db map --check`.",
        "`statement timeout`: look for locks and for a missing index (`observatory db status` lists those to create).",
        "It began with a deployment of the platform: compare its migrations with `database.relations` in `observatory.yaml`.",
    ),
    scenarios=standard(level("exporter_query_success", (("query", "users"), *_POSTGRES), bad=0.0, good=1.0, still=1.0)),
)
ROLLUP_BEHIND = replace(
    DATA_TOO_OLD,
    name="RollupBehind",
    concern="rollup",
    signal=ROLLUP_AGE,
    threshold="rollup_age_seconds",
    hold="1m",
    summary="A roll-up is not being advanced.",
    description="The roll-up of {source} was last advanced {value} ago; up to {threshold} is normal.",
    meaning="New rows of the source are not counted: no exporter runs with the right to write, or its steps fail.",
    impact="Counters and tables of this source stand still. Nothing is lost: the rows are counted once it goes on.",
    checks=(_ROLLUPS, _QUERIES, _REBUILDS),
    next_steps=(
        "No exporter may write: see that OBSERVATORY_POSTGRES_ADVANCE_DSN (or `advance_dsn_file`) is set for one of them.",
        "`problem` says why a source was halted; with `rebuild_needed` follow RollupRebuildNeeded.",
        "Steps fail: the exporter's log has the statement's error; a lock that is held for minutes is the usual reason.",
    ),
    scenarios=standard(moment("platform_rollup_advanced_timestamp_seconds", _EXECUTIONS, remembered=3600.0)),
)
ROLLUP_DRIFT_FOUND = Alert(
    name="RollupDrift",
    group=GROUP,
    concern="rollup",
    signal=ROLLUP_DRIFT,
    by=SOURCE,
    window="1m",
    comparison=">",
    threshold=0.0,
    hold="15m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="A roll-up and the rows that it counted differ.",
    description="The recount of samples of {source} differs by {value} rows from what was counted.",
    meaning="The audit counts a few hours of the last day again from the rows, and finds another number than the roll-up has.",
    impact="Figures of this source are wrong by about this much. Ratios hardly notice; sums do.",
    checks=(_DRIFTS, _ROLLUPS, _REBUILDS),
    next_steps=(
        "`observatory db status` says whether triggers were switched off or rows were changed behind their back.",
        "Rows were deleted or loaded by hand: that explains it; `observatory db rebuild` counts the source anew.",
        "Nobody did anything: note both numbers for the report, then rebuild.",
    ),
    scenarios=standard(level("platform_rollup_drift_rows", _EXECUTIONS, bad=12.0, good=0.0)),
)
REBUILD_NEEDED = replace(
    ROLLUP_DRIFT_FOUND,
    name="RollupRebuildNeeded",
    signal=ROLLUP_REBUILD,
    hold="1m",
    severity=Severity.CRITICAL,
    summary="A source has to be counted anew.",
    description="The source {source} is no longer what was counted; it is halted until somebody has it rebuilt.",
    meaning="The database was restored, the table was emptied or exchanged, or an expression of the mapping failed. Counting "
    "on would lose rows or count them twice, so it was stopped.",
    impact="Counters and tables of this source stand still until it is rebuilt. The platform itself is not touched.",
    checks=(_REBUILDS, _ROLLUPS, _DRIFTS),
    next_steps=(
        "`observatory db status` says what was found, source by source.",
        "The restore or exchange was meant: `observatory db rebuild SOURCE`; published counters do not fall.",
        "It was not meant: the platform's data may be the wrong one. Tell its owners before anything is rebuilt.",
    ),
    scenarios=standard(level("platform_rollup_rebuild_needed", _EXECUTIONS, bad=1.0, good=0.0)),
)
LEDGER_BEHIND = Alert(
    name="LedgerBehind",
    group=GROUP,
    concern="ledger",
    signal=LEDGER_LAG,
    by=SOURCE,
    window="1m",
    comparison=">",
    threshold="ledger_lag_seconds",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="The ledger of model calls is behind.",
    description="The newest model call of {source} in the ledger is {value} old; up to {threshold} is normal.",
    meaning="Langfuse has calls that the ledger has not read yet, or nobody calls a model at all.",
    impact="Cost, tokens and budgets are older than they look. A jump in cost would be told late.",
    checks=(
        MetricCheck("How far behind is it?", LEDGER_LAG, SOURCE),
        MetricCheck("How many requests are left?", REQUESTS_LEFT, ("api",)),
        MetricCheck("When did the reader last succeed?", QUERY_AGE, QUERY),
    ),
    next_steps=(
        "Do agents answer queries now? If not, there is nothing to read, and that is the incident.",
        "Few requests left: the reader goes slower so that they last; a larger plan or a longer interval helps.",
        "Langfuse shows newer calls than the ledger: its log line in the exporter says what it was answered.",
    ),
    scenarios=standard(beyond("exporter_ledger_lag_seconds", _LANGFUSE)),
)
BUDGET_LOW = Alert(
    name="RequestBudgetLow",
    group=GROUP,
    concern="ledger",
    signal=REQUESTS_LEFT,
    by=("api",),
    window="1m",
    comparison="<",
    threshold="requests_left",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.INFO,
    team="platform",
    summary="Few requests to an interface are left.",
    description="{value} of the requests that {api} allows in its period are left.",
    meaning="The plan of the interface allows a number of requests in a period, and most of them are used.",
    impact="The exporter asks less often until the period ends; figures from there become older, none is lost.",
    checks=(MetricCheck("How much is left of each interface?", REQUESTS_LEFT, ("api",)), _AGES, _QUERIES),
    next_steps=(
        "Does another program use the same keys? The limit is counted for the whole organisation.",
        "Name the plan that you have in `sources.langfuse.plan`; the reader then divides its requests by itself.",
        "Lengthen `exporter.intervals.langfuse` when it comes back every period.",
    ),
    scenarios=standard(beyond("exporter_api_budget_remaining", (("api", "langfuse"),), of="exporter_api_budget_limit")),
)
ANSWERS_CUT = Alert(
    name="AnswersCut",
    group=GROUP,
    concern="completeness",
    signal=TRUNCATED,
    by=QUERY,
    window="15m",
    comparison=">",
    threshold=0.0,
    hold="0s",
    keep_firing_for="15m",
    severity=Severity.WARNING,
    team="platform",
    summary="A source has more rows than it may answer with.",
    description="Answers to {query} on {source} were cut at the row limit {value} times within {window}.",
    meaning="The source gave as many rows as were asked for, so there are more that were not given.",
    impact="Figures of this question are too small, by an unknown amount.",
    checks=(MetricCheck("Which queries are cut?", TRUNCATED, QUERY, "15m"), _QUERIES, _AGES),
    next_steps=(
        "In windows mode: the ledger has no such limit; give the exporter a database that it may write.",
        "A label with very many values: see LabelsOverflow, and lower what is asked for.",
        "It began today: something new writes rows; the query's name says which table or view.",
    ),
    scenarios=standard(events("exporter_truncated_results_total", (("query", "calls"), *_LANGFUSE))),
)
LABELS_OVERFLOW = replace(
    ANSWERS_CUT,
    name="LabelsOverflow",
    signal=OVERFLOW,
    severity=Severity.INFO,
    summary="More different names than a label may have.",
    description="Values of {query} on {source} went into the overflow `other`: {value} rows within {window}.",
    meaning="A label, such as agent, model or tool, has more values than its cap; the rest is counted together as `other`.",
    impact="Sums stay right. The new names cannot be told apart, in panels or in alerts.",
    checks=(MetricCheck("Which queries overflow?", OVERFLOW, QUERY, "15m"), _QUERIES, _AGES),
    next_steps=(
        "Look at the newest names: an id, a date or an address in a name is a mistake of whoever writes it.",
        "The names are right: raise the label's cap in the contract, after a look at the number of series.",
        "Old names are gone from the data: they free their places when the exporter starts again.",
    ),
    scenarios=standard(events("exporter_label_overflow_total", (("query", "calls"), *_LANGFUSE))),
)

ALERTS = (
    SOURCE_DOWN, DATA_TOO_OLD, QUERY_FAILING, ROLLUP_BEHIND, ROLLUP_DRIFT_FOUND, REBUILD_NEEDED, LEDGER_BEHIND, BUDGET_LOW,
    ANSWERS_CUT, LABELS_OVERFLOW,
)  # fmt: skip
