"""Which world the stack goes on with, and when it makes another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from demo.database import schema
from demo.stack import prepare
from demo.stack.failure import StackError
from demo.world import spec_file
from demo.world.model import WorldSpec


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
    with pytest.raises(StackError, match="holds a world with days 8, not 90: add --fresh") as caught:
        existing(tmp_path, database, days=90)
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
    assert prepare.Wanted().new(1_800_000_059.0) == WorldSpec(seed=1, anchor=1_800_000_000.0, days=90, scale=1.0)
    wanted = prepare.Wanted(seed=0, scale=0.5, days=30, fresh=True)
    assert wanted.new(1_800_000_000.0) == WorldSpec(seed=0, anchor=1_800_000_000.0, days=30, scale=0.5)
    assert wanted.as_arguments() == ("--seed", "0", "--scale", "0.5", "--days", "30", "--fresh", "--history", "7")
