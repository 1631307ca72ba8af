"""Pseudonyms of users: HMAC-SHA256 of the user's id under a key that never enters the database, the first 16 hex digits.

The process fills `analytics.user_keys` in small steps. A value that only this key gives is stored beside, so that another key
is noticed before it makes a second set of pseudonyms.
"""

from __future__ import annotations

import hmac
from typing import Any

import psycopg
from psycopg import sql

from exporters.database.mapping import Mapping

VARIABLE = "OBSERVATORY_USER_KEY"
LEAST_BYTES = 16
STEP_ROWS = 5_000
"""Users in one step: a few tens of milliseconds."""

_CHECK = "user_key_check"


class UserKeyError(Exception):
    """The key cannot be used; the text says why and never what it is."""


def pseudonym(key: bytes, user_id: str) -> str:
    """The user key of a user's id as text: 16 hex digits."""
    return hmac.digest(key, user_id.encode(), "sha256").hex()[:16]


def checked_key(text: str) -> bytes:
    """The deployment's key out of the text that `Credentials.user_key` found. Raises UserKeyError when it is too short."""
    key = text.encode()
    if len(key) < LEAST_BYTES:
        raise UserKeyError(
            f"the user key ({VARIABLE}, or database.user_key_file) has {len(key)} bytes; it needs at least {LEAST_BYTES}, "
            "for example what `openssl rand -hex 32` prints"
        )
    return key


def verify(connection: psycopg.Connection[Any], key: bytes) -> None:
    """Stores the check value of the first key; raises UserKeyError when another key made the pseudonyms that are there."""
    mine = pseudonym(key, f"check value of {_CHECK}")
    connection.execute(
        "INSERT INTO analytics.installation (name, value) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING", (_CHECK, mine)
    )
    row = connection.execute("SELECT value FROM analytics.installation WHERE name = %s", (_CHECK,)).fetchone()
    if row is None or not hmac.compare_digest(row[0], mine):
        raise UserKeyError(
            "the user key is not the one that made the pseudonyms in schema analytics; use that one again, or, to make all of "
            "them new: TRUNCATE analytics.user_keys; DELETE FROM analytics.installation WHERE name = 'user_key_check'"
        )


def fill(connection: psycopg.Connection[Any], mapping: Mapping, key: bytes, rows: int = STEP_ROWS) -> int:
    """Gives pseudonyms to users that have none, at most `rows` of them, and tells how many. Call it again until it gives 0.

    It looks at every user's id, so call it when users are new.
    `connection` is in a transaction of a role that may write schema analytics. Raises UserKeyError for another key.
    """
    verify(connection, key)
    users = connection.execute(
        sql.SQL(
            "SELECT u.id::text FROM {} AS u WHERE NOT EXISTS"
            " (SELECT FROM analytics.user_keys AS k WHERE k.user_id = u.id::text) LIMIT {}"
        ).format(mapping.table("users"), sql.Literal(rows))
    ).fetchall()
    ids = [user for (user,) in users]
    connection.execute(
        "INSERT INTO analytics.user_keys (user_id, user_key) SELECT * FROM unnest(%s::text[], %s::text[])"
        " ON CONFLICT (user_id) DO NOTHING",
        (ids, [pseudonym(key, user) for user in ids]),
    )
    return len(ids)
