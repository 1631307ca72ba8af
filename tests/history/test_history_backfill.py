"""History out of the roll-ups: the values of the living exporter at the same moments, in files that promtool takes."""

from __future__ import annotations

import math
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from operator import add
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from contract.catalogue import series_catalogue
from contract.metrics import MetricType
from contract.settings import Settings
from exporters.business.figures import FIGURES, PAST_DUE
from exporters.history.backfill import Written, backfill
from exporters.history.blocks import BLOCK_SECONDS, Files, Line
from exporters.history.counts import spread
from exporters.rollups.model import HISTOGRAM_COLUMNS, SUMS
from exporters.snapshot import sample
from provisioning.cli import main
from tests.business.figures import Figures
from tests.business.installed import Exporter, as_role, install
from tests.business.life import ENVIRONMENTS, Life

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
"""The server's clock decides for how long minutes are kept, so the test lives now."""

DAYS = 2
LATER = HOUR + timedelta(minutes=10)
WINDOWED = {figure.metric for figure in FIGURES if PAST_DUE not in figure.facts}
PARTLY = {figure.metric for figure in FIGURES if PAST_DUE in figure.facts}
SETTINGS = Settings.model_validate({"environments": ENVIRONMENTS, "scrape": {"exporter": ["there:9464"]}})

Moments = dict[int, Figures]


@cache
def key_of(series: str) -> tuple[str, ...]:
    """A series as the figures of the tests name it: name, label values, bound."""
    name, _, rest = series.partition("{")
    labels = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    assert (labels.pop("instance"), labels.pop("job")) == ("there:9464", "exporter")
    bound = [f"{float(labels['le']):g}"] if "le" in labels else []
    return (name, *(labels[label] for label in series_catalogue()[name].labels), *bound)


def read(files: tuple[Path, ...]) -> Moments:
    """Figures by moment, named as the living ones are."""
    found: defaultdict[int, Figures] = defaultdict(dict)
    for path in files:
        *lines, end = path.read_text().splitlines()
        assert end == "# EOF"
        begin = round(datetime.strptime(f"{path.stem} +0000", "%Y-%m-%dT%H %z").timestamp())
        for line in lines:
            series, value, at = line.rsplit(" ", 2)
            assert begin <= int(at) < begin + BLOCK_SECONDS, "one block a file"
            found[int(at)][key_of(series)] = float(value)
    return found


def cumulated(figures: Figures) -> Figures:
    """The same with buckets as a page prints them. They stand in the order of their bounds."""
    found: Figures = {}
    sums: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for key, value in figures.items():
        if key[0].endswith("_bucket"):
            sums[key[:-1]] += value
            value = sums[key[:-1]]
        found[key] = value
    return found


def comparable(figures: Figures, names: set[str]) -> Figures:
    """The counters and histograms, and the figures of these names."""
    found = {}
    for key, value in figures.items():
        declared = series_catalogue()[key[0]]
        if declared.name.startswith("platform_rollup") or declared.source != "postgres":
            continue
        if declared.type is not MetricType.GAUGE or declared.name in names:
            found[key] = value
    return found


def executions(dsn: str, since: datetime, number: int, every: timedelta) -> None:
    """Executions of one second each that succeed."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, end_time, duration_ms,"
            " status, tool_count, retry_count, api_calls_count, environment)"
            " SELECT gen_random_uuid(), 0, 'billing', '1.0', %s + n * %s, %s + n * %s + interval '1 second', 1000, 'success',"
            " 0, 0, 0, 'production' FROM generate_series(0, %s) AS n",
            (since, every, since, every, number - 1),
        )


@pytest.fixture(scope="module")
def lived(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Figures, Figures, Written, str]:
    """What was shown at HOUR and at LATER, and the history that was written after that."""
    install(module_database, tmp_path_factory.mktemp("config"))
    Life(module_database, HOUR - timedelta(days=4)).write()  # some of what it begins ends days later
    executions(module_database, HOUR - timedelta(hours=20), 4, timedelta(seconds=18 * 1000))
    executions(module_database, HOUR - timedelta(hours=2), 240, timedelta(seconds=30))
    exporter = Exporter.of(module_database)
    assert not exporter.collect(HOUR.timestamp() - 15)
    with psycopg.connect(module_database, autocommit=True) as connection:  # what counters show, and must not take back
        connection.execute("UPDATE app.tickets SET priority = 'urgent', category = 'bug' WHERE resolved_at IS NOT NULL")
    assert not exporter.collect(HOUR.timestamp())
    at_hour = exporter.served(HOUR.timestamp())
    executions(module_database, HOUR, 60, timedelta(seconds=7))
    assert not exporter.collect(LATER.timestamp())
    later = exporter.served(LATER.timestamp())
    exporter.close()
    out = tmp_path_factory.mktemp("history")
    dsn = as_role(module_database, "observatory_read")
    return at_hour, later, backfill(SETTINGS, dsn, DAYS, out, LATER.timestamp() + 7), module_database


def test_values_are_those_of_the_living_exporter_at_the_same_moments(lived: tuple[Figures, Figures, Written, str]) -> None:
    at_hour, later, written, _ = lived
    moments = read(written.files)
    assert max(moments) == LATER.timestamp()
    rows = sum(value for key, value in later.items() if key[0] == "platform_tickets")
    assert sum(value for key, value in later.items() if key[0] == "platform_tickets_created_total") > rows, "tickets that moved"
    for shown, at, names in ((at_hour, HOUR, WINDOWED), (later, LATER, set[str]())):
        wanted = {key: value for key, value in comparable(cumulated(shown), names).items() if value}
        assert len(wanted) > 300
        found = {key: value for key, value in comparable(moments[int(at.timestamp())], names).items() if value}
        assert found == pytest.approx(wanted)


def test_counters_never_fall_and_hold_what_had_happened(lived: tuple[Figures, Figures, Written, str]) -> None:
    *_, written, dsn = lived
    moments = read(written.files)
    before: Figures = {}
    for at in sorted(moments):
        now = comparable(moments[at], set())
        assert not [key for key, value in now.items() if value < before.get(key, 0.0) - 1e-9], at
        before = now
    since = min(moments)
    assert HOUR.timestamp() - since == DAYS * 86400
    with psycopg.connect(dsn) as connection:
        for hours in (1, 5, 30, 24 * DAYS):
            at = int(HOUR.timestamp()) - hours * 3600
            row = connection.execute("SELECT count(*) FROM app.messages WHERE created_at < to_timestamp(%s)", (at,)).fetchone()
            counted = sum(value for key, value in moments[at].items() if key[0] == "platform_messages_total")
            assert row == (counted,), hours
    gaps = {later - at for at, later in zip(sorted(moments), sorted(moments)[1:], strict=False)}
    assert gaps == {60, 150}


def test_promtool_makes_blocks_of_the_files(
    lived: tuple[Figures, Figures, Written, str], prometheus_tools: Any, tmp_path: Path
) -> None:
    *_, written, _ = lived
    newest = written.files[-3:]
    for path in newest:
        command = [
            str(prometheus_tools.promtool),
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            str(path),
            str(tmp_path / "data"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    assert len([path for path in (tmp_path / "data").iterdir() if (path / "meta.json").exists()]) == len(newest)


def test_points_of_a_series_stand_together_and_a_file_holds_one_block(tmp_path: Path) -> None:
    """What is not told anew stays as it was, also into the next block; what is gone is gone."""
    blocks = Files(tmp_path, {"job": "exporter", "instance": "there:1"})
    chunks = [sample("platform_document_chunks", value=at) for at in (7140, 7200, 7260)]
    users, others = (sample("platform_users", role, value=math.pi) for role in ('a"b', "c"))
    blocks.add(7140, [chunks[0], users, others])
    blocks.add(7200, [chunks[1]])
    blocks.add(7260, [chunks[2]], gone=[("platform_users", ("c",))])
    blocks.close()
    assert [path.name for path in blocks.files] == ["1970-01-01T00.om", "1970-01-01T02.om"]
    assert blocks.files[1].read_text() == (
        'platform_document_chunks{instance="there:1",job="exporter"} 7200.0 7200\n'
        'platform_document_chunks{instance="there:1",job="exporter"} 7260.0 7260\n'
        'platform_users{role="a\\"b",instance="there:1",job="exporter"} 3.141592653589793 7200\n'
        'platform_users{role="a\\"b",instance="there:1",job="exporter"} 3.141592653589793 7260\n'
        'platform_users{role="c",instance="there:1",job="exporter"} 3.141592653589793 7200\n'
        "# EOF\n"
    )
    assert blocks.points == 8


def test_no_file_holds_half_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is loaded with `*.om` is whole, whenever it ended."""
    blocks = Files(tmp_path, {"job": "exporter", "instance": "there:1"})
    blocks.add(0, [sample("platform_document_chunks", value=1)])
    blocks.close()

    def full(line: Line, moments: int) -> Iterator[tuple[str, int, int]]:
        yield "1.0", 0, moments
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Line, "runs", full)
    blocks.add(BLOCK_SECONDS, [])
    with pytest.raises(OSError, match="No space"):
        blocks.close()
    assert [path.name for path in tmp_path.iterdir()] == ["1970-01-01T00.om"]


def figures(n: int, sums: int, *buckets: int) -> tuple[int, ...]:
    return (n, sums, *[0] * (SUMS - 1), *buckets, *[0] * (len(HISTOGRAM_COLUMNS) - len(buckets)))


def test_an_hour_in_parts_is_the_hour_and_what_belongs_together_happens_together() -> None:
    cells = {
        ("executions_ended", (f"agent {number}",)): figures(n, n * 7, n - n // 3, n // 3)
        for number, n in enumerate([-2, 0, 1, 2, 7, 29, 30, 31, 100])
    }
    parts = spread(cells, 7200, 30)
    for key, whole in cells.items():
        told = [part[key] for part in parts if key in part]
        assert tuple(map(sum, zip(*told, strict=True))) == whole
        for n, seconds, *_ in told:
            assert seconds == 7 * n
        for _, _, *counts in accumulate(told, lambda a, b: tuple(map(add, a, b))):
            assert all(count >= 0 for count in accumulate(counts[SUMS - 1 :])) or whole[0] < 0


def test_what_is_rare_happens_in_no_part_of_the_hour_more_than_in_others() -> None:
    """Else a ratio that sees some parts of the hour would see too much of it, or too little."""
    cells = {("executions_ended", (str(number),)): figures(1 + number % 2, 0) for number in range(4000)}
    parts = [sum(n for n, *_ in part.values()) for part in spread(cells, 7200, 30)]
    assert sum(parts) == 6000
    assert min(parts) > 140 and max(parts) < 260


def test_what_cannot_be_written_is_said_in_one_line(
    platform_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", platform_database)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.om").write_text("# EOF\n")
    for words, code, said in (
        (["--days", "2", "--out", "full"], 2, "full is not empty; name a new folder"),
        (["--days", "2", "--out", "new"], 2, "has no schema analytics; run `observatory db install`"),
        (["--days", "0", "--out", "new"], 2, "0 is not in the range"),
    ):
        result = CliRunner().invoke(main, ["exporter", "backfill", *words])
        assert (result.exit_code, said in result.output) == (code, True), result.output
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", "postgresql://me:s3cret@127.0.0.1:9/none")
    result = CliRunner().invoke(main, ["exporter", "backfill", "--days", "2", "--out", "new"])
    assert result.exit_code == 3
    assert "s3cret" not in result.output
    assert len(result.output.splitlines()) == 1
