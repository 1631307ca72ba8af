"""Versions of Grafana make different things of a dashboard. What one makes of ours counts as ours."""

from __future__ import annotations

import pytest

from provisioning.plan.verdict import Verdict
from tests.grafana.server import GrafanaServer
from tests.grafana.site import BOARDS, PASSWORD, Site, verdicts
from tests.grafana.world import Json


@pytest.fixture(autouse=True)
def another_version(server: GrafanaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that adds options to panels, and counts its schema on."""
    monkeypatch.setenv("OBSERVATORY_TEST_PASSWORD", PASSWORD)

    def converted(board: Json) -> Json:
        for panel in board["panels"]:
            panel["options"] = {"legend": {"displayMode": "list"}, **panel.get("options", {})}
        return {**board, "schemaVersion": 43}

    server.world.converted = converted


def test_after_an_apply_the_plan_is_empty_all_the_same(site: Site) -> None:
    outcome = site.apply()
    assert outcome.complete
    (finding,) = outcome.findings
    assert finding.severity == "note"
    assert finding.message.startswith("Grafana keeps 2 objects in another form than sent, which counts as ours; such as")
    assert finding.message.endswith("in panel «Targets that answer»: options.legend.displayMode")
    again = site.plan()
    assert (again.changes, again.parts[0].ledger) == ((), again.parts[0].state.ledger)
    assert site.apply().done == []


def test_the_other_cases_of_the_table_are_told_as_ever(site: Site) -> None:
    assert site.apply().complete
    newer = site.wanted({**BOARDS, "agents": "All agents"})
    assert verdicts(site.plan(newer)) == {str(site.key("agents")): Verdict.UPDATE}
    assert site.apply(newer).complete
    assert site.plan(newer).changes == ()

    site.edited_by_hand("agents", title="Mine")
    assert verdicts(site.plan(newer)) == {str(site.key("agents")): Verdict.DRIFT}
    assert verdicts(site.plan()) == {str(site.key("agents")): Verdict.CONFLICT}
    assert site.apply(newer, overwrite=True).complete
    assert site.plan(newer).changes == ()

    fewer = site.wanted({"agents": "All agents"})
    assert verdicts(site.plan(fewer)) == {str(site.key("cost")): Verdict.PRUNE}
    assert site.apply(fewer).complete
    assert site.plan(fewer).changes == ()


def test_a_grafana_that_is_upgraded_shows_what_it_makes_of_it(site: Site, server: GrafanaServer) -> None:
    assert site.apply().complete
    server.world.converted = lambda board: board
    assert site.plan().changes == ()  # this one gives back what was sent
    server.world.converted = lambda board: {**board, "schemaVersion": 44}
    assert set(verdicts(site.plan()).values()) == {Verdict.DRIFT}
    assert site.apply(overwrite=True).complete
    assert site.plan().changes == ()
