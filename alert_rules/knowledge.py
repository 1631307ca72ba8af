"""Alerts on the knowledge base: searches that find nothing or take long, documents that do not come in."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.accounts import counted, share, slow, timed
from alert_rules.model import Alert, AlertGroup, Guard, MetricCheck, Severity, TableCheck
from alert_rules.stories import standard
from contract.signals.knowledge import (
    DOCUMENT_FAILURE_RATIO,
    DOCUMENT_FAILURES,
    DOCUMENTS,
    KB_EMPTY_RATIO,
    KB_RESULTS,
    KB_SEARCH_LATENCY,
    KB_SEARCHES,
    KB_SEARCHES_ANSWERED,
    KB_SEARCHES_EMPTY,
    UPLOAD_FAILURE_RATIO,
    UPLOAD_FAILURES,
    UPLOADS,
)
from contract.signals.stores import DB_LATENCY, VECTOR_ERROR_RATIO, VECTOR_LATENCY

GROUP = AlertGroup("knowledge_alerts", "1m")
ENVIRONMENT, FILE_TYPE = ("environment",), ("file_type",)

_DOCUMENTS_SQL = """\
SELECT file_type, status, count(*) AS documents, min(created_at) AS first, max(updated_at) AS last
FROM analytics.documents
WHERE created_at >= :'since'
GROUP BY file_type, status
ORDER BY documents DESC
LIMIT 40;"""
_SEARCHES_SQL = """\
SELECT date_trunc('hour', at) AS hour, count(*) AS searches, count(*) FILTER (WHERE result_count = 0) AS empty,
       round(avg(top_score)::numeric, 3) AS top_score, percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_ms
FROM analytics.kb_searches
WHERE at >= :'since'::timestamptz - interval '1 day'
GROUP BY hour
ORDER BY hour DESC
LIMIT 48;"""
_HOURS = TableCheck("Since which hour?", _SEARCHES_SQL)
_STATES = TableCheck("Which documents failed, and when did the first?", _DOCUMENTS_SQL)

EMPTY = Alert(
    name="SearchesFindNothing",
    group=GROUP,
    concern="knowledge-empty",
    signal=KB_EMPTY_RATIO,
    by=ENVIRONMENT,
    window="1h",
    comparison=">",
    threshold="empty_search_ratio",
    hold="5m",
    keep_firing_for="15m",
    severity=Severity.WARNING,
    team="agents",
    summary="Too many searches in the knowledge base find nothing.",
    description="{value} of the searches in the knowledge base of {environment} found nothing in the last {window}; "
    "{threshold} is the limit. It has been so for {hold}.",
    meaning="People and agents ask for what is not there, or is there and cannot be found.",
    impact="Agents answer from the model's memory instead of from documents: sure in tone, wrong in fact.",
    checks=(
        MetricCheck("How many searches are there?", KB_SEARCHES, ("environment", "status"), "1h"),
        MetricCheck("How many results does a search have?", KB_RESULTS, ENVIRONMENT, "1h"),
        _HOURS,
        MetricCheck("Does the vector store fail?", VECTOR_ERROR_RATIO, ("environment", "store")),
        MetricCheck("Are there as many documents as there should be?", DOCUMENTS, ("status",)),
    ),
    next_steps=(
        "From one hour to the next: documents were removed, or the index is being built anew; ask who imports them.",
        "A new model for embeddings: questions and documents no longer speak the same language; embed all documents again.",
        "It grew over weeks: users ask about something new; tell those who write documents what is asked for.",
    ),
    scenarios=standard(share((), wrong=timed("kb_search_results", 0.0), right=timed("kb_search_results", 5.0))),
    guards=(Guard(KB_SEARCHES_EMPTY, "1h", "minimum_empty_searches"),),
)
SLOW = replace(
    EMPTY,
    name="SearchSlow",
    concern="knowledge-latency",
    signal=KB_SEARCH_LATENCY,
    window="15m",
    threshold="search_seconds",
    keep_firing_for="5m",
    team="platform",
    summary="Searches in the knowledge base are slow.",
    description="The slowest 5% of the searches in {environment} took longer than {value} in the last {window}; {threshold} is "
    "the limit. It has been so for {hold}.",
    meaning="One search in twenty takes longer than the whole answer should.",
    impact="Every answer that looks something up waits for it.",
    checks=(
        MetricCheck("Is the vector store slow?", VECTOR_LATENCY, ("environment", "store", "operation")),
        MetricCheck("Is the database slow?", DB_LATENCY, ("environment", "operation")),
        MetricCheck("Are there more searches than usual?", KB_SEARCHES, ENVIRONMENT, "1h", "1d"),
        _HOURS,
    ),
    next_steps=(
        "The vector store is slow: follow VectorStoreSlow.",
        "Database operations are slow: a long query or an import holds them up; look at `pg_stat_activity`.",
        "Only the search: it waits for its embedding; see ModelResponseTimeHigh for the embedding model.",
    ),
    scenarios=standard(slow((), timed("kb_search_results", 5.0))),
    guards=(Guard(KB_SEARCHES_ANSWERED, "15m", "minimum_searches"),),
)
UPLOADS_FAIL = replace(
    EMPTY,
    name="UploadsFailing",
    concern="knowledge-uploads",
    signal=UPLOAD_FAILURE_RATIO,
    threshold="upload_failure_ratio",
    team="platform",
    summary="Documents cannot be uploaded.",
    description="{value} of the documents uploaded in {environment} failed in the last {window}; {threshold} is the limit. It "
    "has been so for {hold}.",
    meaning="The platform takes a document in and cannot keep it.",
    impact="Users see an error after choosing a file; agents do not know the document.",
    checks=(
        MetricCheck("Which types of file fail?", UPLOAD_FAILURES, ("environment", "file_type"), "1h"),
        MetricCheck("How many come in?", UPLOADS, ("environment", "file_type", "status"), "1h"),
        _STATES,
    ),
    next_steps=(
        "One type of file: its reader broke with a release, or somebody imports damaged files; try one by hand.",
        "All types: the object store is full or refuses its key; look at the upload route's log.",
        "Large files only: a limit of size or time in front of the platform.",
    ),
    scenarios=standard(
        share(
            (),
            wrong=counted("kb_document_uploads_total", ("file_type", "pdf"), ("status", "error")),
            right=counted("kb_document_uploads_total", ("file_type", "pdf"), ("status", "success")),
        )
    ),
    guards=(Guard(UPLOAD_FAILURES, "1h", "minimum_failures"),),
)
PROCESSING_FAILS = replace(
    UPLOADS_FAIL,
    name="DocumentsFailing",
    concern="knowledge-documents",
    signal=DOCUMENT_FAILURE_RATIO,
    by=FILE_TYPE,
    summary="Documents come in and cannot be processed.",
    description="{value} of the {file_type} documents whose processing ended in the last {window} failed; {threshold} is the "
    "limit. It has been so for {hold}.",
    meaning="The document is stored, but could not be read, cut into chunks or embedded.",
    impact="The document is listed and never found. Users believe that agents know it.",
    checks=(
        MetricCheck("Which types of file fail?", DOCUMENT_FAILURE_RATIO, FILE_TYPE, "1h"),
        MetricCheck("How many are waiting, done and failed?", DOCUMENTS, ("status",)),
        _STATES,
        MetricCheck("Do writes into the vector store fail?", VECTOR_ERROR_RATIO, ("environment", "store", "operation")),
    ),
    next_steps=(
        "One type of file: look at `error` of three such documents; a library for that format was updated or is missing.",
        "All types at the same time: the embedding model or the vector store fails; follow their alerts.",
        "Afterwards start the failed documents again; nobody uploads them a second time.",
    ),
    scenarios=standard(
        share(
            (("file_type", "pdf"),),
            wrong=counted("platform_documents_processed_total", ("status", "failed")),
            right=counted("platform_documents_processed_total", ("status", "done")),
        )
    ),
    guards=(Guard(DOCUMENT_FAILURES, "1h", "minimum_failures"),),
)

ALERTS = (EMPTY, SLOW, UPLOADS_FAIL, PROCESSING_FAILS)
