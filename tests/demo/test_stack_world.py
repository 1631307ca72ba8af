"""Which world the stack goes on with, and when it makes another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from demo.database import schema
from demo.stack import prepare
from demo.stack.failure import StackError
from demo.world import spec_file
from demo.world.model import WorldSpec
from demo.world.rhythm import growth, rate


@pytest.fixture
def world(tmp_path: Path, database: str) -> WorldSpec:
    """A finished load as `prepare` leaves it, without the rows."""
    spec = WorldSpec(seed=1, anchor=1_800_000_000.0, days=8, scale=0.01)
    with psycopg.connect(database) as connection:
        schema.create(connection, spec)
        schema.write_mark(connection, spec, spec.anchor)
    spec_file.write(tmp_path / "world.json", spec)
    (tmp_path / "langfuse.sqlite").touch()
    return spec


def existing(var: Path, dsn: str, now: float = 1_800_000_060.0, **wanted: object) -> WorldSpec | None:
    return prepare._existing(var, dsn, prepare.Wanted(**wanted), now, with_standin=True)  # type: ignore[arg-type]


def test_a_whole_world_is_gone_on_with(tmp_path: Path, database: str, world: WorldSpec) -> None:
    assert existing(tmp_path, database) == world
    assert existing(tmp_path, database, seed=1, days=8, scale=0.01) == world
    for wanted, said in (({"days": 90}, "holds a world with days 8, not 90: add --fresh"), ({"busy": True}, "without --busy")):
        with pytest.raises(StackError, match=said) as caught:
            existing(tmp_path, database, **wanted)
        assert caught.value.exit_code == 2


def test_a_world_that_is_not_whole_is_made_anew(tmp_path: Path, database: str, world: WorldSpec) -> None:
    assert existing(tmp_path, database, fresh=True) is None
    assert existing(tmp_path, database, now=world.anchor + 8 * 86400) is None, "left alone for too long"
    spec_file.write(tmp_path / "world.json", replace(world, seed=2))
    assert existing(tmp_path, database) is None, "the database holds another world"
    spec_file.write(tmp_path / "world.json", world)
    (tmp_path / "langfuse.sqlite").unlink()
    assert existing(tmp_path, database) is None, "the stand-in's rows are gone"
    (tmp_path / "langfuse.sqlite").touch()
    with psycopg.connect(database) as connection:
        schema.write_mark(connection, world, None)
    assert existing(tmp_path, database) is None, "killed while it was loaded"


def test_the_wanted_world() -> None:
    assert prepare.Wanted().new(1_800_000_059.0).born == WorldSpec(seed=1, anchor=1_800_000_000.0, days=90, scale=1.0)
    wanted = prepare.Wanted(seed=0, scale=0.5, days=30, fresh=True)
    assert wanted.new(1_800_000_000.0).born == WorldSpec(seed=0, anchor=1_800_000_000.0, days=30, scale=0.5)
    whole = ("--history", "7", "--fine-hours", "24")
    assert wanted.as_arguments() == ("--seed", "0", "--scale", "0.5", "--days", "30", "--fresh", *whole)
    assert prepare.Wanted(busy=True, fine=7200.0).as_arguments() == ("--busy", *whole[:3], "2")


@pytest.mark.parametrize("hours", [0.0, 13.5, 80.0])
def test_a_busy_world_is_as_busy_at_any_hour_as_a_wednesday_at_its_peak(hours: float) -> None:
    wednesday = datetime(2026, 11, 18, 14, tzinfo=UTC).timestamp()
    peak = rate(WorldSpec(1, wednesday), wednesday)
    now = wednesday + hours * 3600.0
    busy = prepare.Wanted(busy=True).new(now)
    assert rate(busy, now) == pytest.approx(peak)
    week = [now + 3600.0 * step for step in range(-84, 84)]
    assert max(rate(busy, at) / growth(busy, at) for at in week) == pytest.approx(peak)
