"""Alerts that Grafana evaluates: what Prometheus would, in its own form, in the same three-way table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from alert_rules import rules
from contract.settings import Settings
from provisioning.plan.objects import Key, Wanted
from provisioning.plan.verdict import Verdict
from provisioning.targets.grafana import alert_groups, folders, target
from provisioning.targets.grafana.client import TOKEN_VARIABLE, Client
from tests.grafana.server import TOKEN, GrafanaServer
from tests.grafana.site import Site, verdicts
from tests.grafana.test_grafana_faults import said

Json = dict[str, Any]


def group(threshold: str = "0.2", name: str = "agents", interval: str = "15s") -> Json:
    rule = {
        "alert": f"ErrorsOf_{name}",
        "expr": f"error_ratio > {threshold}",
        "for": "5m",
        "keep_firing_for": "90s",
        "labels": {"severity": "critical"},
        "annotations": {"description": "{{ $value | humanizePercentage }} of {{ $labels.agent }}; $values stays"},
    }
    return {"name": name, "interval": interval, "rules": [rule]}


def wanted(site: Site, *groups: Json) -> tuple[Wanted, ...]:
    home = folders.uid(site.owner, "Administration")
    return (
        folders.wanted(site.owner, "Administration"),
        *(alert_groups.wanted(one, home, "prometheus", site.owner) for one in groups),
    )


@pytest.fixture
def held(any_site: Site) -> Iterator[Site]:
    """A Grafana that has one group of ours."""
    any_site.applied(wanted(any_site, group()))
    yield any_site
    any_site.applied(wanted(any_site))


def path(site: Site, name: str = "agents") -> str:
    return f"/api/v1/provisioning/folder/{site.uid('administration')}/rule-groups/{name}"


KEY = str(Key("alert group", "agents"))


def test_a_group_is_made_as_grafana_evaluates_it_and_then_is_the_same(held: Site) -> None:
    found = held.client.get(path(held))
    assert found["interval"] == 20  # Grafana's clock ticks every ten seconds
    (rule,) = found["rules"]
    assert (rule["title"], rule["for"], rule["execErrState"]) == ("ErrorsOf_agents", "5m", "KeepLast")
    assert rule["data"][0]["model"]["expr"] == "error_ratio > 0.2"
    assert (
        rule["annotations"]["description"]
        == "{{ $values.query.Value | humanizePercentage }} of {{ $labels.agent }}; $values stays"
    )
    assert rule["provenance"] == "api"
    assert held.plan(wanted(held, group())).changes == ()


def test_a_changed_threshold_is_an_update_and_said_as_such(held: Site) -> None:
    plan = held.plan(wanted(held, group("0.3")))
    assert verdicts(plan) == {KEY: Verdict.UPDATE}
    assert [str(change.label) for change in plan.changes] == ["threshold"]
    held.applied(wanted(held, group("0.3")))


def test_an_edit_is_drift_and_a_group_that_was_removed_is_made_again(held: Site) -> None:
    found = held.client.get(path(held))
    for rule in found["rules"]:
        rule |= {"labels": {"severity": "warning"}, "provenance": ""}
    held.client.put(path(held), found)
    assert verdicts(held.plan(wanted(held, group()))) == {KEY: Verdict.DRIFT}
    assert held.apply(wanted(held, group()), overwrite=True).complete
    held.client.delete(path(held))
    assert verdicts(held.plan(wanted(held, group()))) == {KEY: Verdict.RECREATE}
    held.applied(wanted(held, group()))


def test_a_group_that_is_no_longer_wanted_goes_and_others_stay(held: Site) -> None:
    mine = alert_groups.wanted(group(name="mine"), held.uid("administration"), "prometheus", "somebody").payload
    held.client.put(path(held, "mine"), mine)
    before = held.client.get(path(held, "mine"))
    plan = held.plan(wanted(held))
    assert verdicts(plan) == {KEY: Verdict.PRUNE}
    held.applied(wanted(held))
    assert held.client.get(path(held, "mine")) == before
    held.client.delete(path(held, "mine"))


def test_a_group_that_changed_since_the_plan_is_left_alone(site: Site, server: GrafanaServer) -> None:
    site.applied(wanted(site, group()))
    for newer in (wanted(site, group("0.3")), wanted(site)):
        plan = site.plan(newer)
        live = server.world.rule_groups[site.uid("administration"), "agents"]
        live["interval"] += 10
        assert "alert group agents was changed since it was read" in said(site.carry_out(plan))
        live["interval"] -= 10


def test_what_grafana_refuses_is_told_in_its_words(site: Site, server: GrafanaServer) -> None:
    site.applied(wanted(site, group()))
    other = group(name="others")
    other["rules"][0]["alert"] = "ErrorsOf_agents"
    assert "rule title under the same organisation and folder should be unique" in said(
        site.apply(wanted(site, group(), other))
    )


def test_a_missing_right_is_named(site: Site, server: GrafanaServer) -> None:
    server.tokens[TOKEN].rights.discard("alert.provisioning:write")
    assert "the token lacks the right alert.provisioning:write" in said(site.apply(wanted(site, group())))


def test_a_lost_answer_does_no_harm(site: Site, server: GrafanaServer) -> None:
    server.goes_wrong("PUT", "/api/v1/.*", lost=True)
    site.applied(wanted(site, group()))


def test_all_alerts_of_the_site_go_to_grafana_when_it_evaluates_them(
    server: GrafanaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVATORY_GRAFANA_URL", server.url)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    defaults = Settings()
    settings = defaults.model_copy(update={"grafana": defaults.grafana.model_copy(update={"alerts": True})})
    there = target(settings)
    site = Site(Client(server.url, TOKEN), settings.plan.owner)
    everything = there.wanted()
    site.applied(everything)
    names = {rule["alert"] for one in rules.rule_groups(settings) for rule in one["rules"]}
    found = [rule for one in server.world.rule_groups.values() for rule in one["rules"]]
    assert {rule["title"] for rule in found} == names
    assert not any("$value " in text for rule in found for text in rule["annotations"].values())
    assert server.world.data_sources["alertmanager"]["jsonData"]["handleGrafanaManagedAlerts"] is True
    assert "where Grafana sends its alerts" in " ".join(there.live().unverified)
