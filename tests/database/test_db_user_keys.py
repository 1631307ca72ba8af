"""Pseudonyms of users."""

from __future__ import annotations

import pytest
from database_steps import Connection

from contract.settings import Settings
from exporters.database import user_keys
from exporters.database.mapping import Mapping

KEY = b"a key of sixteen bytes or more"


def test_a_pseudonym_is_the_keyed_hash_of_the_id() -> None:
    """HMAC-SHA256 of "1", as `printf 1 | openssl dgst -sha256 -hmac 'a key of sixteen bytes or more'` says."""
    assert user_keys.pseudonym(KEY, "1") == "b5c062ea5f19e210"


def test_users_get_keys_a_step_at_a_time(installed: Connection) -> None:
    installed.execute("INSERT INTO app.users SELECT n, now(), 'member', 'active' FROM generate_series(10, 14) AS n")
    mapping = Mapping.of(Settings())
    steps = []
    while step := user_keys.fill(installed, mapping, KEY, rows=3):
        steps.append(step)
    assert steps == [3, 3, 1]
    rows = installed.execute("SELECT user_id, user_key FROM analytics.user_keys ORDER BY user_id::int").fetchall()
    assert rows == [(user, user_keys.pseudonym(KEY, user)) for user in ("1", "2", "10", "11", "12", "13", "14")]


def test_another_key_is_refused_in_words(installed: Connection) -> None:
    mapping = Mapping.of(Settings())
    user_keys.fill(installed, mapping, KEY)
    with pytest.raises(user_keys.UserKeyError, match="not the one that made the pseudonyms"):
        user_keys.fill(installed, mapping, b"some other key that is long enough")
    assert user_keys.fill(installed, mapping, KEY) == 0


def test_a_key_that_is_too_short_is_said_without_it() -> None:
    assert user_keys.checked_key("long enough to be a key") == b"long enough to be a key"
    with pytest.raises(user_keys.UserKeyError, match="has 4 bytes; it needs at least 16") as said:
        user_keys.checked_key("tiny")
    assert "tiny" not in str(said.value)
