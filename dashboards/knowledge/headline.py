"""The answer first: do searches find something, fast, and do documents come in?"""

from __future__ import annotations

from alert_rules import stores
from alert_rules.knowledge import EMPTY, PROCESSING_FAILS, SLOW, UPLOADS_FAIL
from contract.settings import Settings
from contract.signals.knowledge import (
    DOCUMENT_CHUNKS,
    DOCUMENTS,
    KB_EMPTY_RATIO,
    KB_SEARCH_LATENCY,
    KB_SEARCHES,
    UPLOAD_SUCCESS_RATIO,
)
from contract.signals.model import equal
from dashboards.knowledge.rows import NO_SEARCHES, NO_UPLOADS, NOT_COUNTED
from dashboards.lib.field import at_least, at_most, named
from dashboards.lib.figures import NEITHER, Stat
from dashboards.lib.judged import lights
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask, series

HOUR, DAY = "1h", "1d"
_PER_DOCUMENT = "per document"


def state(settings: Settings) -> Panel:
    judged = {
        "Searches find something": (EMPTY, "too often not"),
        "Searches are fast": (SLOW, "slow"),
        "Vector store": (stores.VECTOR_SLOW, "slow"),
        "Uploads arrive": (UPLOADS_FAIL, "many fail"),
        "Documents are processed": (PROCESSING_FAILS, "many fail"),
    }
    return lights("state", "Does the knowledge base answer?", "Begin with what is not OK, and its runbook.", judged, settings)


def documents() -> Panel:
    return Stat(
        name="documents",
        title="Documents",
        description=(
            "All documents, whatever their status, with their course and change over the range. A fall: somebody removed "
            "documents, and what they said is no longer found."
        ),
        targets=(series(DOCUMENTS, step="15m"),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NOT_COUNTED,
        sparkline=True,
        up_to_now=True,
        change=NEITHER,
    )


def chunks() -> Panel:
    everything, done = ask(DOCUMENT_CHUNKS), ask(DOCUMENTS, (), "", (equal("status", "done"),))
    parts = {"chunks": everything, _PER_DOCUMENT: f"{everything} / ({done} > 0)"}
    return Stat(
        name="chunks",
        title="Chunks",
        description=(
            "Pieces that documents were cut into, and how many a document that is done has. The second figure jumps after a "
            "release: documents are cut otherwise, and old and new ones are no longer found alike."
        ),
        targets=(PromQuery(expr=union("figure", parts), legend="{{figure}}", instant=True),),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NOT_COUNTED,
        direction="vertical",
        shown="value_and_name",
        value_size=22,
        overrides=(named(_PER_DOCUMENT, decimals=1),),
    )


def searches() -> Panel:
    return Stat(
        name="searches_now",
        title="Searches per minute",
        description=(
            "Searches in the knowledge base per minute, over the last hour, with their course. None while agents are busy: "
            "they answer without looking anything up."
        ),
        targets=(PromQuery(expr=f"60 * {ask(KB_SEARCHES, (), HOUR)}", legend=KB_SEARCHES.title, step="1h"),),
        unit="short",
        decimals=1,
        minimum=0,
        no_value=NO_SEARCHES,
        sparkline=True,
        up_to_now=True,
    )


def duration(settings: Settings) -> Panel:
    limit = settings.thresholds.search_seconds
    return Stat(
        name="search_now",
        title="Time of a search, p95",
        description=(
            f"95 % of the searches of the last hour were answered within this time; the alert begins at {limit:g} s. Too slow: "
            "see whether the vector store is, or only the search."
        ),
        targets=(series(KB_SEARCH_LATENCY, window=HOUR, step="1h"),),
        unit="s",
        decimals=0,
        minimum=0,
        no_value=NO_SEARCHES,
        limits=at_most(limit),
        sparkline=True,
        up_to_now=True,
    )


def empty(settings: Settings) -> Panel:
    limit = settings.thresholds.empty_search_ratio
    return Stat(
        name="empty_now",
        title="Searches that find nothing",
        description=(
            f"Searches without a result / searches, over the last hour; the alert begins at {limit:.0%}. Too many: documents "
            "were removed, the index is being built anew, or users ask about something new."
        ),
        targets=(series(KB_EMPTY_RATIO, window=HOUR, step="15m"),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        no_value=NO_SEARCHES,
        limits=at_most(limit),
        sparkline=True,
        up_to_now=True,
    )


def uploads(settings: Settings) -> Panel:
    target = 1 - settings.thresholds.upload_failure_ratio
    return Stat(
        name="upload_success_now",
        title=f"Upload success, 24 h (target {target:.0%})",
        description=(
            "Successful uploads / uploads, over the last day, as the platform counts them while they happen. Below target: see "
            "which type of file fails in 'Documents by type'."
        ),
        targets=(series(UPLOAD_SUCCESS_RATIO, window=DAY, instant=True),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        maximum=1,
        no_value=NO_UPLOADS,
        limits=at_least(target),
    )
