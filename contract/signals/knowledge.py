"""The knowledge base: searches that find something or nothing, and documents that come in."""

from __future__ import annotations

from contract.signals.agents import FAILED_STATUS
from contract.signals.model import Level, Mean, Quantile, Rate, Ratio, equal
from contract.status import SUCCESS

KB_SEARCHES = Rate("kb_searches", "Searches", "Searches in the knowledge base per second", "ops", "kb_searches_total")
KB_SEARCH_LATENCY = Quantile(
    "kb_search_latency_p95",
    "p95",
    "95th percentile of the time of a search in the knowledge base",
    "s",
    "kb_search_duration_seconds",
    0.95,
)
KB_RESULTS = Mean("kb_results", "Results", "Mean number of results of a search", "short", "kb_search_results")
KB_SEARCHES_ANSWERED = Rate(
    "kb_searches_answered", "Searches answered", "Searches whose results were counted, per second", "ops", "kb_search_results"
)
KB_SEARCHES_EMPTY = Rate(
    "kb_searches_empty", "Empty searches", "Searches without a result, per second", "ops", "kb_search_results", at_most=0.0
)
KB_EMPTY_RATIO = Ratio(
    "kb_empty_ratio",
    "Empty searches",
    "Searches without a result / searches",
    "percentunit",
    KB_SEARCHES_EMPTY,
    KB_SEARCHES_ANSWERED,
)
UPLOADS = Rate("uploads", "Uploads", "Documents uploaded per second", "ops", "kb_document_uploads_total")
UPLOADS_SUCCEEDED = Rate(
    "uploads_succeeded", "Successful uploads", "Documents that were uploaded, per second", "ops", "kb_document_uploads_total",
    (equal("status", SUCCESS),),
)  # fmt: skip
UPLOAD_SUCCESS_RATIO = Ratio(
    "upload_success_ratio",
    "Upload success",
    "Successful uploads / uploads",
    "percentunit",
    UPLOADS_SUCCEEDED,
    UPLOADS,
)
UPLOAD_FAILURES = Rate(
    "upload_failures",
    "Failed uploads",
    "Documents that could not be uploaded, per second",
    "ops",
    "kb_document_uploads_total",
    (FAILED_STATUS,),
)
UPLOAD_FAILURE_RATIO = Ratio(
    "upload_failure_ratio",
    "Failed uploads",
    "Documents that could not be uploaded / documents",
    "percentunit",
    UPLOAD_FAILURES,
    UPLOADS,
)
DOCUMENTS_PROCESSED = Rate(
    "documents_processed",
    "Documents processed",
    "Documents whose processing ended, per second",
    "ops",
    "platform_documents_processed_total",
)
DOCUMENT_FAILURES = Rate(
    "document_failures",
    "Failed documents",
    "Documents whose processing failed, per second",
    "ops",
    "platform_documents_processed_total",
    (equal("status", "failed"),),
)
DOCUMENT_FAILURE_RATIO = Ratio(
    "document_failure_ratio",
    "Failed documents",
    "Documents whose processing failed / documents whose processing ended",
    "percentunit",
    DOCUMENT_FAILURES,
    DOCUMENTS_PROCESSED,
)
DOCUMENTS = Level("documents", "Documents", "Documents as they stand", "short", "platform_documents")
DOCUMENT_CHUNKS = Level(
    "document_chunks", "Chunks", "Chunks of all documents", "short", "platform_document_chunks", operator="max"
)
STORED_SEARCHES = Rate(
    "stored_searches",
    "Searches",
    "Searches of the knowledge base in the database, per second",
    "ops",
    "platform_kb_searches_total",
)
STORED_SEARCHES_EMPTY = Rate(
    "stored_searches_empty",
    "Empty searches",
    "Searches in the database that found nothing, per second",
    "ops",
    "platform_kb_searches_total",
    (equal("result", "empty"),),
)
STORED_EMPTY_RATIO = Ratio(
    "stored_empty_ratio",
    "Empty searches",
    "Searches in the database that found nothing / searches",
    "percentunit",
    STORED_SEARCHES_EMPTY,
    STORED_SEARCHES,
)
