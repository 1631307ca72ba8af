"""Every incident brings about exactly the alerts of the table, whose panels show it, and they reach their people.

No incident brings about none.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from alert_rules import catalogue, routes
from contract.settings import Settings
from demo.drill import lives, rulebook, virtual
from demo.drill.expected import ALWAYS, EXPECTED, NOTHING, SURE, expected
from demo.drill.lives import Life
from demo.drill.rulebook import Groups
from demo.history.blocks import short_lived
from demo.platform.incidents import KINDS
from provisioning.rules.server import over
from tests.conftest import PostgresServer, name_of
from tests.drill import alert_panels, first_checks

KINDS_AND_NONE = (NOTHING, *KINDS)
Copy = Callable[[str | None], str]


@pytest.fixture(scope="module")
def copy_of(postgres: PostgresServer) -> Iterator[Copy]:
    """Makes a database: an empty one, or a copy of another."""
    made: list[str] = []

    def make(dsn: str | None) -> str:
        made.append(postgres.create(name_of(dsn)) if dsn else postgres.create())
        return made[-1]

    yield make
    for dsn in made:
        postgres.drop(dsn)


@pytest.fixture(scope="module")
def past(copy_of: Copy, tmp_path_factory: pytest.TempPathFactory) -> Life:
    return lives.past(tmp_path_factory.mktemp("drill") / "past", copy_of(None))


@pytest.fixture(scope="module")
def groups() -> Groups:
    return rulebook.built(lives.SETTINGS)


@pytest.mark.integration
@pytest.mark.parametrize("kind", KINDS_AND_NONE)
def test_an_incident_brings_about_exactly_its_alerts(
    kind: str, past: Life, groups: Groups, copy_of: Copy, tmp_path: Path, prometheus_tools: Any
) -> None:
    life = lives.go_on(past, tmp_path / "life", copy_of(past.dsn), None if kind == NOTHING else kind)
    with over(life.metrics) as history:
        found = virtual.replayed(life, history, groups)
        assert found.refused == {}
        assert sorted(virtual.fired(found)) == sorted(expected(kind))
        assert first_checks.complaints(life, history, found.firings) == []
        assert alert_panels.unseen(life, history, found.firings) == []
        told = [firing for firing in found.firings if firing.alert not in ALWAYS]
        earlier = [replace(firing, pending=lives.ANCHOR, until=lives.ANCHOR + lives.BEGINS) for firing in told]
        assert not told or alert_panels.unseen(life, history, earlier), "panels show it before it began"
        for name, document in virtual.promtool_files(history, groups, kind):
            (tmp_path / name).write_text(json.dumps(document), encoding="utf-8")  # which is YAML, and far quicker
    files = sorted(tmp_path.glob("test-*.yml"))
    assert len(files) > 1
    command = [prometheus_tools.promtool, "test", "rules", *files]
    done = subprocess.run(command, capture_output=True, text=True, env=short_lived())
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_judges_what_looks_back_shortly(groups: Groups) -> None:
    judged = {rule.alert for rule in virtual.judged(groups, NOTHING).alerting}
    assert {"AgentErrorsPage", "AgentErrorRatioHigh", "AgentErrorRatioCritical", "AgentResponseTimeHigh"} <= judged


def test_every_expected_alert_exists_and_reaches_its_receivers(groups: Groups, tmp_path: Path, prometheus_tools: Any) -> None:
    """By amtool, with the very labels that the drill saw; the table of the routes says who is meant."""
    config = tmp_path / "alertmanager.yml"
    config.write_text(yaml.safe_dump(routes.configuration(lives.SETTINGS), sort_keys=False), encoding="utf-8")
    own = {rule["alert"]: dict(rule["labels"]) for group in groups for rule in group["rules"] if "alert" in rule}
    meant = {(line.labels["alertname"], line.labels.get("team")): list(line.inside) for line in routes.table(lives.SETTINGS)}
    for kind in KINDS_AND_NONE:
        for alert, about in sorted(expected(kind)):
            labels = {"alertname": alert, **own[alert], **dict(pair.split("=", 1) for pair in about.split() if "=" in pair)}
            pairs = [f"{name}={value}" for name, value in labels.items()]
            asked = [prometheus_tools.amtool, "config", "routes", "test", "--config.file", config, *pairs]
            told = subprocess.run(asked, capture_output=True, text=True)
            assert told.stdout.strip().split(",") == meant[alert, labels.get("team")], (kind, labels, told.stderr)


def test_the_table_names_every_incident_and_alerts_that_exist() -> None:
    known = {alert.name for alert in catalogue.active(Settings())}
    assert set(EXPECTED) == set(KINDS_AND_NONE)
    for kind in KINDS_AND_NONE:
        assert {alert for alert, _ in expected(kind)} <= known, kind
        assert set(SURE.get(kind, ())) <= set(EXPECTED[kind]), kind
