"""Status words of platforms, mapped once. Every figure uses the four words on the right."""

from __future__ import annotations

SUCCESS, ERROR, TIMEOUT, CANCELLED = "success", "error", "timeout", "cancelled"
STATUSES = (SUCCESS, ERROR, TIMEOUT, CANCELLED)

WORDS: dict[str, str] = {
    "success": SUCCESS, "succeeded": SUCCESS, "ok": SUCCESS, "completed": SUCCESS, "done": SUCCESS,
    "error": ERROR, "failure": ERROR, "failed": ERROR, "exception": ERROR,
    "timeout": TIMEOUT, "timed_out": TIMEOUT, "deadline_exceeded": TIMEOUT,
    "cancelled": CANCELLED, "canceled": CANCELLED, "aborted": CANCELLED,
}  # fmt: skip

RUNNING = ("in_progress", "running", "pending", "queued", "started", "processing")
"""What platforms say, in small or large letters, of what has not ended."""

FAILED = (ERROR, TIMEOUT)
"""What counts as failed. A query that its user cancelled is neither a success nor a failure of the platform."""


def normalise(word: str) -> str:
    """The contract's word for a platform's status word; unknown words are errors, so that nothing bad is hidden."""
    return WORDS.get(word.lower(), ERROR)


def sql_normalise(column: str) -> str:
    """SQL expression that maps a status column to the contract's words; a column that holds these already is read no further.

    `column` is an SQL expression of our own making, never user input.
    """
    by_word: dict[str, list[str]] = {}
    for word, status in WORDS.items():
        by_word.setdefault(status, []).append(word)
    cases = " ".join(
        f"WHEN lower({column}) IN ({', '.join(repr(w) for w in words)}) THEN '{status}'" for status, words in by_word.items()
    )
    own = ", ".join(map(repr, STATUSES))
    return f"CASE WHEN {column} IN ({own}) THEN {column} {cases} ELSE '{ERROR}' END"


def sql_may_have_failed(column: str) -> str:
    """SQL condition that is false for the words of other ends as they are usually written, and true for all else.

    It compares and does no more, so a database can answer it from an index over just these rows, which are few.
    `column` is an SQL expression of our own making, never user input.
    """
    others = ", ".join(repr(word) for word, status in WORDS.items() if status not in FAILED)
    return f"({column} NOT IN ({others})) IS NOT FALSE"


def sql_failed(column: str) -> str:
    """SQL condition that a status column says of what has ended that it failed. `column` as for `sql_normalise`."""
    failed, running = (", ".join(map(repr, words)) for words in (FAILED, RUNNING))
    return (
        f"({sql_may_have_failed(column)} AND (lower({column}) IN ({running})) IS NOT TRUE"
        f" AND {sql_normalise(column)} IN ({failed}))"
    )
