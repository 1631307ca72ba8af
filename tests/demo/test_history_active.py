"""What a new stack notes of the users who were active in windows of the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from demo.history import active

READY = datetime(2026, 11, 22, 12, 20, tzinfo=UTC)
LENGTHS = {name: timedelta(seconds=seconds) for name, seconds in active.COMPARED.items()}
STEPS = {"24h": timedelta(minutes=1), "7d": timedelta(hours=1), "30d": timedelta(hours=1)}


def windows(name: str) -> list[tuple[datetime, datetime]]:
    """The windows that ended from one length before the stack is ready, each at a full minute or hour."""
    step, length = STEPS[name], LENGTHS[name]
    first = READY - length
    first -= (first - datetime(2026, 1, 1, tzinfo=UTC)) % step
    return [(first + number * step - length, first + number * step) for number in range((READY - first) // step + 1)]


@pytest.mark.integration
@pytest.mark.parametrize("name", LENGTHS)
def test_windows_begin_as_long_ago_as_their_name_says(platform_database: str, name: str) -> None:
    """Also the first one, which ended up to an hour before the one that a figure of now is held against."""
    (begin, end), *_ = told = windows(name)
    second = timedelta(seconds=1)
    written = [begin + second, begin - second, end - second, end + 7201 * second]
    with psycopg.connect(platform_database) as connection:
        connection.cursor().executemany(
            "INSERT INTO app.messages (id, conversation_id, user_id, role, created_at) VALUES (%s, 1, %s, 'user', %s)",
            [(number, number, at) for number, at in enumerate(written)],
        )
    found = {at: count for window, at, count in active.before(platform_database, READY.timestamp()) if window == name}
    assert found == {end.timestamp(): sum(begin <= at < end for at in written) for begin, end in told}
    assert found[end.timestamp()] == 2
