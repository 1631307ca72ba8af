"""Documents: how they stand, how they come in, and who brings them."""

from __future__ import annotations

from contract.definitions import DOCUMENT_STATUSES
from contract.settings import Settings
from contract.signals.knowledge import DOCUMENTS, UPLOAD_SUCCESS_RATIO
from contract.signals.model import equal
from dashboards.knowledge.headline import DAY
from dashboards.knowledge.rows import NO_UPLOADS, NOT_COUNTED, OF_STATUSES
from dashboards.lib import colours
from dashboards.lib.field import at_most, fixed, lines, named, painted
from dashboards.lib.figures import BarGauge, Stat
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, SqlQuery, ask, series
from dashboards.lib.shares import PieChart
from dashboards.lib.tables import BAR_CELL, COLOURED_TEXT, NARROW, Table, columns

_NAMED_TYPES = ("pdf", "docx", "txt", "md")


def by_status() -> Panel:
    parts = {status: ask(DOCUMENTS, (), "", (equal("status", status),)) for status in DOCUMENT_STATUSES}
    return BarGauge(
        name="by_status",
        title="Documents by status",
        description=(
            "Documents as they stand. Failed ones are listed and never found; a growing number in processing means that the "
            "ingest stands still."
        ),
        targets=(PromQuery(expr=union("status", {"total": ask(DOCUMENTS), **parts}), legend="{{status}}", instant=True),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NOT_COUNTED,
        overrides=painted({"total": colours.NEUTRAL, **OF_STATUSES}),
    )


_UPLOADS = """
SELECT date_trunc('day', d.created_at, 'UTC') AS "time", d.status AS metric, count(*)::float8 AS value
FROM analytics.documents d
WHERE $__timeFilter(d.created_at)
GROUP BY 1, 2
ORDER BY 1, 2
LIMIT 5000
""".strip()


def uploads() -> Panel:
    return TimeSeries(
        name="uploads",
        title="Uploads per day",
        description=(
            "Documents by the day (UTC) on which they were uploaded, and what became of them; the first and the last day are "
            "not whole. Many failed on one day: one import, one type of file; see 'Documents by type'."
        ),
        targets=(SqlQuery(sql=_UPLOADS, format="time_series"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_UPLOADS,
        style="bars",
        stacked=True,
        calculations=("sum", "max"),
        overrides=painted(OF_STATUSES),
    )


def upload_success(settings: Settings) -> Panel:
    target = 1 - settings.thresholds.upload_failure_ratio
    return TimeSeries(
        name="upload_success",
        title=f"Upload success, 1 d (target {target:.0%})",
        description=(
            "Successful uploads / uploads, over the day before each moment, as the platform counts them. It falls slowly and "
            "rises slowly: the alert looks at single hours, where enough is uploaded."
        ),
        targets=(series(UPLOAD_SUCCESS_RATIO, ("environment",), window=DAY),),
        unit="percentunit",
        maximum=1,
        no_value=NO_UPLOADS,
        limits=lines((target, colours.DEGRADED)),
        drawn="dashed",
        soft_minimum=max(0.0, target - 0.1),
        calculations=("lastNotNull", "min"),
    )


_TYPES = f"""
SELECT CASE WHEN lower(d.file_type) IN ({", ".join(f"'{name}'" for name in _NAMED_TYPES)})
            THEN upper(d.file_type) ELSE 'other' END AS "Type", count(*)::float8 AS documents
FROM analytics.documents d
WHERE d.created_at <= $__timeTo()
GROUP BY 1
ORDER BY 2 DESC
""".strip()


def types() -> Panel:
    return PieChart(
        name="types",
        title="Documents by file type",
        description=(
            "All documents uploaded until the end of the range, by type of file. A type that is new needs a reader that "
            "understands it: look at its failures in 'Documents by type'."
        ),
        targets=(SqlQuery(sql=_TYPES),),
        unit="locale",
        decimals=0,
        no_value="no document",
        every_row=True,
        overrides=(named("other", color=fixed(colours.GREY)),),
    )


_PROCESSING = """
SELECT count(*)::float8 AS "in processing",
       (extract(epoch FROM $__timeTo()::timestamptz - min(d.created_at)))::float8 AS "longest wait"
FROM analytics.documents d
WHERE d.status = 'processing' AND d.created_at <= $__timeTo()
""".strip()


def processing() -> Panel:
    return Stat(
        name="processing",
        title="Waiting to be processed",
        description=(
            "Documents that were uploaded and are not processed yet, and how long the first of them has waited. Minutes are "
            "usual; hours mean that the ingest stands still, or that one document blocks it."
        ),
        targets=(SqlQuery(sql=_PROCESSING),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="none waits",
        direction="vertical",
        shown="value_and_name",
        value_size=24,
        overrides=(named("longest wait", unit="dtdurations"),),
    )


_TIMES = """
SELECT date_trunc('day', d.updated_at, 'UTC') AS "time",
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM d.updated_at - d.created_at)) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM d.updated_at - d.created_at)) AS "nine in ten"
FROM analytics.documents d
WHERE $__timeFilter(d.updated_at) AND d.status = 'done'
GROUP BY 1
ORDER BY 1
""".strip()


def processing_time() -> Panel:
    return TimeSeries(
        name="processing_time",
        title="From upload to findable, by day",
        description=(
            "Half, and nine in ten, of the documents whose processing ended on a day (UTC) took this long from upload to their "
            "last change. It grows with the uploads: the ingest needs more workers."
        ),
        targets=(SqlQuery(sql=_TIMES, format="time_series"),),
        unit="s",
        minimum=0,
        no_value="none processed in range",
        calculations=("mean", "max"),
        overrides=painted({"median": colours.LOW, "nine in ten": colours.HIGH}),
    )


_BY_TYPE = """
SELECT d.file_type, count(*)::float8 AS documents, (count(*) FILTER (WHERE d.status = 'done'))::float8 AS done,
       (count(*) FILTER (WHERE d.status = 'processing'))::float8 AS processing,
       (count(*) FILTER (WHERE d.status = 'failed'))::float8 AS failed,
       (count(*) FILTER (WHERE d.status = 'failed'))::float8
         / nullif(count(*) FILTER (WHERE d.status <> 'processing'), 0) AS share,
       sum(d.size_bytes)::float8 AS bytes, sum(c.chunks)::float8 / nullif(count(c.chunks), 0) AS chunks
FROM analytics.documents d
LEFT JOIN (
  SELECT c.document_id, count(*) AS chunks FROM analytics.chunks c
  WHERE c.created_at >= $__timeFrom() GROUP BY c.document_id
) c ON c.document_id = d.id
WHERE $__timeFilter(d.created_at)
GROUP BY d.file_type
ORDER BY documents DESC
LIMIT 50
""".strip()


def by_type(settings: Settings) -> Panel:
    limit = settings.thresholds.upload_failure_ratio
    headings = {
        "file_type": "Type", "documents": "Uploaded", "done": "Done", "processing": "Processing", "failed": "Failed",
        "share": "Failed share", "bytes": "Size", "chunks": "Chunks each",
    }  # fmt: skip
    return Table(
        name="by_type",
        title="Documents by type",
        description=(
            "Documents uploaded in the range, by type of file: what became of them, how large they are and how many chunks "
            f"each of the processed ones has. Alerts begin when {limit:.0%} of an hour's fail. One type fails: its reader "
            "broke."
        ),
        targets=(SqlQuery(sql=_BY_TYPE),),
        no_value=NO_UPLOADS,
        transformations=columns(headings),
        paged=True,
        overrides=(
            NARROW,
            *(named(column, unit="locale", decimals=0) for column in ("Uploaded", "Done", "Processing", "Failed")),
            named(
                "Failed share", unit="percentunit", decimals=1, custom_cellOptions=COLOURED_TEXT,
                thresholds=at_most(limit).to_json_data(),
            ),
            named("Size", unit="bytes", decimals=1),
            named("Chunks each", unit="short", decimals=1),
        ),
    )  # fmt: skip


_UPLOADERS = """
SELECT coalesce(nullif(d.user_key, ''), 'not shown') AS who, count(*)::float8 AS documents,
       (count(*) FILTER (WHERE d.status = 'failed'))::float8 AS failed, sum(d.size_bytes)::float8 AS bytes,
       max(d.created_at) AS last
FROM analytics.documents d
WHERE $__timeFilter(d.created_at)
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 50
""".strip()


def uploaders() -> Panel:
    headings = {"who": "User", "documents": "Documents", "failed": "Failed", "bytes": "Size", "last": "Last"}
    return Table(
        name="uploaders",
        title="Who uploads most?",
        description=(
            "The fifty users who uploaded most documents in the range; a key stands for each. One who fails often: show them "
            "which files are understood."
        ),
        targets=(SqlQuery(sql=_UPLOADERS),),
        no_value=NO_UPLOADS,
        transformations=columns(headings),
        overrides=(
            named("Documents", unit="locale", decimals=0, min=0, fieldMinMax=True, custom_cellOptions=BAR_CELL),
            named("Failed", unit="locale", decimals=0, custom_width=90),
            named("Size", unit="bytes", decimals=1, custom_width=110),
            named("Last", custom_width=170),
        ),
        paged=True,
    )


_FAILED = """
SELECT d.updated_at AS at, d.id, d.file_type, d.size_bytes::float8 AS bytes,
       coalesce(nullif(d.user_key, ''), 'not shown') AS who, coalesce(d.error, 'not shown') AS error
FROM analytics.documents d
WHERE $__timeFilter(d.updated_at) AND d.status = 'failed'
ORDER BY d.updated_at DESC
LIMIT 100
""".strip()


def failed() -> Panel:
    headings = {"at": "Failed", "id": "Document", "file_type": "Type", "bytes": "Size", "who": "User", "error": "Error"}
    return Table(
        name="failed",
        title="Latest documents that failed",
        description=(
            "The newest hundred documents whose processing failed in the range. The number finds a document in the platform; "
            "what the error says is shown only where the configuration allows texts. Start them again once the cause is "
            "gone: nobody uploads them a second time."
        ),
        targets=(SqlQuery(sql=_FAILED),),
        no_value="no document failed in range",
        transformations=columns(headings),
        overrides=(
            named("Failed", custom_width=170),
            named("Document", unit="none", decimals=0, custom_width=120),
            named("Type", custom_width=90),
            named("Size", unit="bytes", decimals=1, custom_width=110),
        ),
        paged=True,
    )
