"""The back-test: a real Prometheus has the history, rules are replayed over it, and promtool has the last word."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from provisioning.cli import main
from provisioning.findings import InputError
from provisioning.rules import replay as replaying
from provisioning.rules import selectors
from provisioning.rules.built import Build, from_groups, read
from provisioning.rules.differences import Change, differences
from provisioning.rules.history import History
from provisioning.rules.plan import Readings, Window
from provisioning.rules.replay import Replayed, replay
from provisioning.rules.server import Workshop, free_port, over, workshop
from provisioning.rules.states import Firing
from provisioning.rules.wire import STALE

pytestmark = pytest.mark.integration

STEP = 15
BEGIN = 1_718_150_400.0
"""A midnight."""
SCRAPES = 400
END = BEGIN + (SCRAPES - 1) * STEP

RATES = {
    "name": "rates",
    "interval": "15s",
    "rules": [{"record": "agent:queries:rate1m", "expr": "sum by (agent, status) (rate(queries_total[1m]))"}],
}
RATIO = {
    "record": "agent:errors:ratio1m",
    "expr": 'sum by (agent) (agent:queries:rate1m{status="error"}) / (sum by (agent) (agent:queries:rate1m) > 0)',
    "labels": {"made": "here"},
}
FIGURES = {"name": "figures", "interval": "15s", "rules": [RATIO]}


def alerts(hold: str = "1m", keep: str = "30s", limit: float = 0.3) -> dict[str, Any]:
    return {
        "name": "alerts",
        "interval": "15s",
        "rules": [
            {"alert": "Failing", "expr": f"agent:errors:ratio1m > {limit}", "for": hold, "keep_firing_for": keep,
             "labels": {"severity": "warning"}},
            {"alert": "Quiet", "expr": "sum by (agent) (agent:queries:rate1m) * 60 < 2 and on (agent) up == 1"},
        ],
    }  # fmt: skip


GROUPS = [RATES, FIGURES, alerts()]


def counters(seed: int) -> dict[str, list[float]]:
    """Queries of three agents, failing in bursts and now and then resting, and whether they are up."""
    chance = random.Random(seed)
    found: dict[str, list[float]] = {}
    for agent in ("billing", "research", "support"):
        success, error, bad, asleep = [1000.0], [50.0], 0, 0
        for _ in range(SCRAPES - 1):
            bad = bad - 1 if bad else chance.choice((0,) * 39 + (24,))
            asleep = asleep - 1 if asleep else chance.choice((0,) * 59 + (12,))
            came = 0 if asleep else chance.randint(0, 6)
            failed = sum(chance.random() < (0.7 if bad else 0.02) for _ in range(came))
            success.append(success[-1] + came - failed)
            error.append(error[-1] + failed)
        found[f'queries_total{{agent="{agent}",status="success"}}'] = success
        found[f'queries_total{{agent="{agent}",status="error"}}'] = error
        found[f'up{{agent="{agent}"}}'] = [1.0] * SCRAPES
    return found


def _labels(series: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    name, inner = series.rstrip("}").split("{")
    pairs = (pair.split("=") for pair in inner.split(","))
    return name, tuple(sorted((key, value.strip('"')) for key, value in pairs))


def stored(server: Workshop, series: Mapping[str, list[float]]) -> None:
    server.write(
        (*_labels(text), [(BEGIN + STEP * n, value) for n, value in enumerate(values)]) for text, values in series.items()
    )


@pytest.fixture(scope="module")
def history() -> Iterator[Workshop]:
    with workshop() as server:
        stored(server, counters(seed=3))
        yield server


def replayed(server: History, groups: list[dict[str, Any]], since: float = BEGIN - 1, until: float = END) -> Replayed:
    shares: list[float] = []
    found = replay(from_groups("here", groups), server, Window(since, until), shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0
    return found


def _said(firings: tuple[Firing, ...], alert: str, at: float) -> list[dict[str, Any]]:
    rules = {rule["alert"]: rule.get("labels", {}) for rule in alerts()["rules"]}
    found = []
    for one in firings:
        if one.alert == alert and one.since <= at and (one.until is None or at < one.until):
            labels = {**dict(one.labels), **rules[alert], "alertname": alert, "alertstate": "firing"}
            inner = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
            found.append({"labels": f"ALERTS{{{inner}}}", "value": 1})
    return found


@pytest.mark.parametrize(("seed", "hold", "keep"), [(1, "0s", "0s"), (2, "1m", "30s"), (3, "45s", "2m"), (4, "2m", "0s")])
def test_promtool_fires_at_the_same_moments(seed: int, hold: str, keep: str, tmp_path: Path, prometheus_tools: Any) -> None:
    groups = [RATES, FIGURES, alerts(hold, keep)]
    with workshop() as server:
        stored(server, counters(seed))
        found = replayed(server, groups)
    assert {firing.alert for firing in found.firings} == {"Failing", "Quiet"}
    assert found.refused == {}
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{STEP}s",
        "group_eval_order": ["rates", "figures", "alerts"],
        "tests": [
            {
                "interval": f"{STEP}s",
                "input_series": [
                    {"series": text, "values": " ".join(f"{value:g}" for value in values)}
                    for text, values in counters(seed).items()
                ],
                "promql_expr_test": [
                    {
                        "expr": f'ALERTS{{alertname="{alert}",alertstate="firing"}}',
                        "eval_time": f"{n * STEP}s",
                        "exp_samples": _said(found.firings, alert, BEGIN + n * STEP),
                    }
                    for n in range(SCRAPES)
                    for alert in ("Failing", "Quiet")
                ],
            }
        ],
    }
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    done = subprocess.run([prometheus_tools.promtool, "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_stretches_of_time_do_not_show(history: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = replayed(history, GROUPS)
    monkeypatch.setattr(replaying, "CHUNK_SECONDS", 615.0)
    assert replayed(history, GROUPS).firings == whole.firings != ()


def test_what_fires_when_the_window_begins_is_known(history: Workshop) -> None:
    firing = next(one for one in replayed(history, GROUPS).firings if one.until and one.until - one.since > 120)
    later = replayed(history, GROUPS, since=firing.since + 60)
    assert (firing.alert, firing.labels, firing.until) in {(one.alert, one.labels, one.until) for one in later.firings}


class Recording(History):
    """A server that says that it evaluates these rules."""

    def __init__(self, url: str, rules: list[dict[str, Any]]) -> None:
        super().__init__(url)
        self._rules = rules

    def recorded(self) -> list[Mapping[str, Any]]:
        return [{"name": one["record"], "query": one["expr"], "labels": one.get("labels", {})} for one in self._rules]


@pytest.fixture(scope="module")
def with_recorded() -> Iterator[Workshop]:
    """A history whose recorded ratio is another than one would compute: always 0.9, of an agent that nobody knows."""
    with workshop() as server:
        stored(server, counters(seed=3))
        recorded = [(BEGIN + STEP * n, 0.9) for n in range(SCRAPES)]
        server.write([("agent:errors:ratio1m", (("agent", "told"), ("made", "here")), recorded)])
        server.write([("agent:queries:rate1m", (("agent", "told"), ("status", "error")), recorded)])
        yield server


def _failing(found: Replayed) -> set[str]:
    return {dict(one.labels)["agent"] for one in found.firings if one.alert == "Failing"}


def test_recorded_series_are_used_where_the_server_has_the_same_rules(with_recorded: Workshop) -> None:
    same = [RATES["rules"][0], {**RATIO, "expr": RATIO["expr"].replace(" / ", "  /\n")}]  # type: ignore[attr-defined,index]
    found = replayed(Recording(with_recorded.url, same), GROUPS)
    assert _failing(found) == {"told"} and found.recomputed == ()


@pytest.mark.parametrize("changed", ["figures", "rates", "labels"])
def test_recorded_series_are_recomputed_where_a_rule_differs(with_recorded: Workshop, changed: str) -> None:
    """Also where only what it reads is another rule's."""
    rates: Any = RATES["rules"][0]  # type: ignore[index]
    theirs = {
        "figures": [rates, {**RATIO, "expr": "agent:queries:rate1m"}],
        "rates": [{**rates, "expr": "rate(queries_total[1m])"}, RATIO],
        "labels": [rates, {**RATIO, "labels": {}}],
    }[changed]
    found = replayed(Recording(with_recorded.url, theirs), GROUPS)
    assert "agent:errors:ratio1m" in found.recomputed
    assert "told" not in _failing(found) or changed != "rates"
    assert ("agent:queries:rate1m" in found.recomputed) == (changed == "rates")


def test_recorded_series_that_began_late_are_recomputed(history: Workshop) -> None:
    rules = [RATES["rules"][0], RATIO]  # type: ignore[index]
    found = replayed(Recording(history.url, rules), GROUPS)
    assert found.recomputed == ("agent:errors:ratio1m", "agent:queries:rate1m")
    assert found.firings == replayed(history, GROUPS).firings


def test_what_the_server_refuses_is_said_and_the_rest_goes_on(history: Workshop) -> None:
    wrong = {"alert": "Wrong", "expr": 'label_replace(up, "a", "$1", "agent", "(")'}
    double = {"name": "alerts", "interval": "15s", "rules": [*alerts()["rules"], wrong]}
    found = replayed(history, [RATES, FIGURES, double])
    assert list(found.refused) == ["Wrong"] and "regular expression" in found.refused["Wrong"]
    assert found.firings == replayed(history, GROUPS).firings


def test_a_rule_that_reads_itself_is_refused() -> None:
    loop = {"record": "a:b", "expr": "a:c + 1"}, {"record": "a:c", "expr": "a:b"}
    alert = {"alert": "Round", "expr": "a:b > 1"}
    build = from_groups("here", [{"name": "g", "rules": [*loop, alert]}])
    with pytest.raises(InputError, match="a:b reads a:c reads a:b"):
        _ = Readings(build).order


def test_selectors_say_how_far_they_look_back() -> None:
    text = 'sum(rate(x_total{a="b\\"c"}[5m] offset 1h)) > 3 and on () max_over_time(avg(y)[1h:1m]) unless {__name__="z"}'
    assert [(one.name, one.text, one.reach) for one in selectors.selected(text)] == [
        ("x_total", 'x_total{a="b\\"c"}', 3900.0),
        ("y", "y", 3900.0),
        ("z", "z", 300.0),
    ]


# A data folder


def _tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, prometheus_tools: Any) -> Path:
    """A data folder with a block, and nothing else."""
    place = tmp_path_factory.mktemp("history")
    lines = [
        f"{text} {value:g} {BEGIN + STEP * n:.0f}\n" for text, values in counters(3).items() for n, value in enumerate(values)
    ]
    (place / "history.om").write_text("".join([*lines, "# EOF\n"]))
    made = [prometheus_tools.promtool, "tsdb", "create-blocks-from", "openmetrics", place / "history.om", place / "data"]
    subprocess.run(made, check=True, capture_output=True)
    return place / "data"


def test_a_data_folder_is_read_and_left_as_it_is(folder: Path, history: Workshop) -> None:
    before = _tree(folder)
    with over(folder) as server:
        assert replayed(server, GROUPS).firings == replayed(history, GROUPS).firings
    assert _tree(folder) == before


def write(folder: Path, groups: list[dict[str, Any]]) -> Path:
    rules = folder / "prometheus" / "rules"
    rules.mkdir(parents=True)
    for group in groups:
        (rules / f"{group['name']}.yml").write_text(yaml.safe_dump({"groups": [group]}))
    return folder


def backtest(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["rules", "backtest", *map(str, words)])


@pytest.fixture
def builds(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "new", GROUPS), write(tmp_path / "old", [RATES, FIGURES, alerts(hold="3m", limit=0.6)])


def test_the_command_tells_when_alerts_fired_and_what_changed(builds: tuple[Path, Path], folder: Path) -> None:
    done = backtest(
        "--build", builds[0], "--against", builds[1], "--prometheus-data", folder, "--days", 0.1, "--alert", "Failing"
    )
    assert done.exit_code == 0, done.output
    assert "1 alerts of" in done.stdout
    assert "agent=billing made=here" in done.stdout and "fires only now" in done.stdout
    assert "replaying" in done.stderr and "replaying" not in done.stdout


def test_the_command_speaks_json(builds: tuple[Path, Path], folder: Path) -> None:
    done = backtest(
        "--build", builds[0], "--against", builds[1], "--prometheus-data", folder, "--days", 0.1, "--format", "json"
    )
    report = json.loads(done.stdout)
    assert report["alerts"] == ["Failing", "Quiet"]
    assert all(one["from"] < (one["until"] or "9") for one in report["firings"])
    changes = {one["change"] for one in report["differences"]}
    assert changes and changes <= {change.value for change in Change}
    assert report["recomputed"] == ["agent:errors:ratio1m", "agent:queries:rate1m"]


def test_mistakes_are_explained(builds: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = backtest("--build", builds[0], "--url", f"http://127.0.0.1:{free_port()}")
    assert nowhere.exit_code == 3 and "cannot be reached" in nowhere.stderr
    empty = backtest("--build", tmp_path / "nothing")
    assert empty.exit_code == 2 and "observatory build --out" in empty.stderr
    unknown = backtest("--build", builds[0], "--alert", "Failng")
    assert unknown.exit_code == 2 and "did you mean Failing?" in unknown.stderr
    no_data = backtest("--build", builds[0], "--prometheus-data", tmp_path)
    assert no_data.exit_code == 2 and "no data folder" in no_data.stderr
    when = backtest("--build", builds[0], "--until", "yesterday")
    assert when.exit_code == 2 and "2026-01-31T12:00:00Z" in when.stderr
    both = backtest("--build", builds[0], "--url", "http://127.0.0.1:1", "--prometheus-data", tmp_path)
    assert both.exit_code == 2 and "one of them" in both.stderr
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("provisioning.tools.FETCHED", tmp_path)
    shutil.copytree(builds[0], tmp_path / "data" / "wal")
    no_binary = backtest("--build", builds[0], "--prometheus-data", tmp_path / "data")
    assert no_binary.exit_code == 2 and "make tools" in no_binary.stderr


@pytest.mark.parametrize(
    "text",
    [
        "nothing: here",
        "groups: [{name: g, rules: [{expr: up}]}]",
        "groups: [{name: g, rules: [{alert: A, expr: 'up ('}]}]",
        "{",
    ],
)
def test_a_broken_rule_file_is_named(text: str, tmp_path: Path) -> None:
    rules = tmp_path / "prometheus" / "rules"
    rules.mkdir(parents=True)
    (rules / "broken.yml").write_text(text)
    with pytest.raises(InputError, match="error: "):
        read(tmp_path)


# Differences


def _fired(since: float, until: float | None, agent: str = "billing") -> Firing:
    return Firing("Failing", (("agent", agent),), since, since, until, 1.0)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ([], [_fired(10, 20)], [Change.NEW]),
        ([_fired(10, 20)], [], [Change.GONE]),
        ([_fired(10, 20)], [_fired(10, 20)], []),
        ([_fired(10, 20)], [_fired(5, 20)], [Change.EARLIER]),
        ([_fired(10, 20)], [_fired(15, 25)], [Change.LATER]),
        ([_fired(10, 20)], [_fired(10, None)], [Change.LONGER]),
        ([_fired(10, None)], [_fired(10, 20)], [Change.SHORTER]),
        ([_fired(10, 20)], [_fired(30, 40)], [Change.GONE, Change.NEW]),
        ([_fired(10, 20)], [_fired(10, 20, "support")], [Change.GONE, Change.NEW]),
        ([_fired(10, 40)], [_fired(10, 20), _fired(30, 40)], [Change.SHORTER, Change.NEW]),
    ],
)
def test_differences_of_two_builds(before: list[Firing], after: list[Firing], changes: list[Change]) -> None:
    assert [one.change for one in differences(before, after)] == changes


def test_a_series_ends_with_prometheus_own_mark(history: Workshop) -> None:
    history.write([("ended", (), [(END, 1.0), (END + STEP, STALE)])])
    assert history.range("ended", replaying.aligned(END - 1, END + 60, STEP)) == {("ended", ()): {END: 1.0}}  # type: ignore[arg-type]


def test_the_default_build_can_be_replayed(artefacts: Mapping[str, bytes], tmp_path: Path) -> None:
    for name, content in artefacts.items():
        if name.startswith("prometheus/"):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    build: Build = read(tmp_path)
    assert build.alerting and Readings(build).order
