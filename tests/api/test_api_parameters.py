"""Dates and times mean what they say, however ISO 8601 lets them be written; limits fit to each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from api.application import ANSWER_SECONDS
from api.database import SILENT_SECONDS
from api.parameters import moment
from contract.api import ApiLimits
from contract.values import duration_seconds

DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)


@pytest.mark.parametrize("text", ["2026-01-31", "20260131", "2026-W05-6", "2026W056"])
def test_a_date_as_end_is_its_whole_day(text: str) -> None:
    begin = datetime(2026, 1, 31, tzinfo=UTC)
    assert moment(text, "start_date", ends=False) == begin
    assert moment(text, "end_date", ends=True) == begin + DAY - MICROSECOND


@pytest.mark.parametrize("text", ["2026-01-31T08:00", "20260131T080000Z", "2026-01-31 09:00:00+01:00"])
def test_a_time_is_itself(text: str) -> None:
    assert moment(text, "end_date", ends=True) == datetime(2026, 1, 31, 8, tzinfo=UTC)


def test_a_statement_is_over_before_its_caller_is_told_to_ask_for_less() -> None:
    longest = "25s"
    assert ApiLimits(statement_timeout=longest) and duration_seconds(longest) + SILENT_SECONDS < ANSWER_SECONDS
    with pytest.raises(ValidationError, match="25s"):
        ApiLimits(statement_timeout="26s")
