"""What is wanted, what is there, and what was there after the last apply: each case of the table, on a Grafana."""

from __future__ import annotations

import pytest

from contract.grafana import FolderAccess
from provisioning.plan.changes import Action
from provisioning.plan.objects import Key
from provisioning.plan.verdict import Verdict
from tests.grafana.site import BOARDS, PASSWORD, Site, board, verdicts


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVATORY_TEST_PASSWORD", PASSWORD)


def test_first_everything_is_created_and_then_everything_is_the_same(any_site: Site) -> None:
    first = any_site.plan()
    assert set(verdicts(first).values()) == {Verdict.CREATE}
    assert [change.key.kind for change in first.changes] == [
        *["folder"] * 2, *["permissions"] * 2, "data source", *["dashboard"] * 2,
    ]  # fmt: skip
    assert len(any_site.applied()) == 7
    again = any_site.plan()
    assert (again.changes, again.parts[0].same) == ((), 7)
    before = any_site.live(any_site.key("agents"))
    assert any_site.apply().done == []
    assert any_site.live(any_site.key("agents")) == before


def test_what_changes_here_is_updated_and_the_past_says_why(any_site: Site) -> None:
    any_site.applied()
    newer = any_site.wanted({"agents": "All agents", "cost": "Cost"})
    plan = any_site.plan(newer)
    assert verdicts(plan) == {str(any_site.key("agents")): Verdict.UPDATE}
    any_site.applied(newer)
    live = any_site.live(any_site.key("agents"))
    assert live is not None
    assert live.title == "All agents"
    past = any_site.client.get(f"/api/dashboards/uid/{live.key.name}/versions")["versions"]
    assert past[0]["message"] == f"apply by {any_site.owner}"


def test_an_edit_in_the_browser_is_drift_and_only_put_back_when_asked(any_site: Site) -> None:
    any_site.applied()
    any_site.edited_by_hand("agents", title="My agents")
    plan = any_site.plan()
    assert verdicts(plan) == {str(any_site.key("agents")): Verdict.DRIFT}
    assert [(change.action, change.differences[0].after) for change in plan.changes] == [(Action.LEAVE, "My agents")]
    assert any_site.apply().done == []
    live = any_site.live(any_site.key("agents"))
    assert live is not None
    assert live.title == "My agents"
    assert any_site.apply(overwrite=True).complete
    assert any_site.plan().changes == ()


def test_a_dashboard_that_somebody_moved_is_drift(any_site: Site) -> None:
    any_site.applied()
    found = any_site.client.get(f"/api/dashboards/uid/{any_site.uid('cost')}")["dashboard"]
    any_site.client.post("/api/dashboards/db", {"dashboard": found, "folderUid": any_site.uid("administration")})
    assert verdicts(any_site.plan()) == {str(any_site.key("cost")): Verdict.DRIFT}
    assert any_site.apply(overwrite=True).complete
    assert any_site.plan().changes == ()


def test_an_edit_on_both_sides_is_a_conflict(any_site: Site) -> None:
    any_site.applied()
    any_site.edited_by_hand("agents", title="My agents")
    newer = any_site.wanted({**BOARDS, "agents": "All agents"})
    plan = any_site.plan(newer)
    assert verdicts(plan) == {str(any_site.key("agents")): Verdict.CONFLICT}
    assert plan.todo == ()
    assert any_site.apply(newer, overwrite=True).complete
    assert any_site.plan(newer).changes == ()


def test_the_same_edit_on_both_sides_is_none(any_site: Site) -> None:
    any_site.applied()
    any_site.edited_by_hand("agents", title="All agents")
    newer = any_site.wanted({**BOARDS, "agents": "All agents"})
    assert any_site.plan(newer).changes == ()
    any_site.applied(newer)  # remembered as ours: with the next change here it is an update, no conflict
    assert set(verdicts(any_site.plan()).values()) == {Verdict.UPDATE}


def test_what_is_no_longer_wanted_is_removed_unless_it_was_edited(any_site: Site) -> None:
    any_site.applied()
    fewer = any_site.wanted({"agents": "Agents"})
    assert verdicts(any_site.plan(fewer)) == {str(any_site.key("cost")): Verdict.PRUNE}
    any_site.edited_by_hand("cost", title="Our cost")
    left = any_site.plan(fewer)
    assert verdicts(left) == {str(any_site.key("cost")): Verdict.EDITED}
    assert left.todo == ()
    any_site.edited_by_hand("cost", title="Cost")
    any_site.applied(fewer)
    assert any_site.live(any_site.key("cost")) is None


def test_what_was_removed_by_hand_is_made_again(any_site: Site) -> None:
    any_site.applied()
    any_site.removed_by_hand("agents")
    assert verdicts(any_site.plan()) == {str(any_site.key("agents")): Verdict.RECREATE}
    any_site.applied()
    assert any_site.live(any_site.key("agents")) is not None


def test_a_dashboard_of_somebody_else_is_adopted_before_it_is_replaced(any_site: Site) -> None:
    any_site.made_by_hand("agents", "Somebody's agents")
    plan = any_site.plan()
    assert verdicts(plan)[str(any_site.key("agents"))] is Verdict.ADOPT
    assert any_site.apply().complete
    live = any_site.live(any_site.key("agents"))
    assert live is not None
    assert (live.title, live.owner) == ("Somebody's agents", "")
    any_site.adopt(any_site.key("agents"))
    live = any_site.live(any_site.key("agents"))
    assert live is not None
    assert (live.title, live.owner) == ("Somebody's agents", any_site.owner)
    assert verdicts(any_site.plan()) == {str(any_site.key("agents")): Verdict.UPDATE}
    any_site.applied()


def test_what_is_released_stays_as_it_is_and_is_nobodys(any_site: Site) -> None:
    any_site.applied()
    before = any_site.live(any_site.key("cost"))
    any_site.release(any_site.key("cost"))
    fewer = any_site.wanted({"agents": "Agents"})
    assert any_site.plan(fewer).changes == ()
    any_site.applied(fewer)
    after = any_site.live(any_site.key("cost"))
    assert before is not None
    assert after is not None
    assert (after.owner, after.document) == ("", before.document)


def test_folder_titles_and_permissions_that_somebody_changed_are_drift(any_site: Site) -> None:
    any_site.applied()
    folder = any_site.client.get(f"/api/folders/{any_site.uid('business')}")
    any_site.client.put(f"/api/folders/{folder['uid']}", {"title": "Shop", "version": folder["version"]})
    items = [{"role": "Viewer", "permission": 2}]
    any_site.client.post(f"/api/folders/{any_site.uid('administration')}/permissions", {"items": items})
    assert verdicts(any_site.plan()) == {
        f"folder {any_site.uid('business')}": Verdict.DRIFT,
        f"permissions {any_site.uid('administration')}": Verdict.DRIFT,
    }
    assert any_site.apply(overwrite=True).complete
    assert any_site.plan().changes == ()


def test_the_administration_is_seen_by_administrators_only(any_site: Site) -> None:
    any_site.applied()
    assert any_site.client.get(f"/api/folders/{any_site.uid('administration')}/permissions") == []
    found = any_site.client.get(f"/api/folders/{any_site.uid('business')}/permissions")
    assert [(item["role"], item["permissionName"]) for item in found] == [("Viewer", "View")]


def test_permissions_change_with_the_configuration(any_site: Site) -> None:
    any_site.applied()
    wider = any_site.wanted(business=FolderAccess(viewers="view", editors="edit"))
    assert verdicts(any_site.plan(wider)) == {f"permissions {any_site.uid('business')}": Verdict.UPDATE}
    any_site.applied(wider)


def test_a_data_source_that_somebody_changed_is_drift_and_its_password_is_sent_once(any_site: Site) -> None:
    any_site.applied()
    key = Key("data source", any_site.uid("postgres"))
    live = any_site.live(key)
    assert live is not None
    assert live.raw["secureJsonFields"] == {"password": True}
    body = {**live.raw, "user": "postgres", "jsonData": {**live.raw["jsonData"], "sslmode": "require"}}
    any_site.client.put(f"/api/datasources/uid/{key.name}", body)
    assert verdicts(any_site.plan()) == {str(key): Verdict.DRIFT}
    assert any_site.apply(overwrite=True).complete
    assert any_site.plan().changes == ()


def test_a_data_source_is_adopted_and_released(any_site: Site) -> None:
    key = Key("data source", any_site.uid("postgres"))
    made = {"name": any_site.uid("hers"), "uid": key.name, "type": "prometheus", "access": "proxy", "url": "http://127.0.0.1:1"}
    any_site.client.post("/api/datasources", {**made, "jsonData": {"httpMethod": "GET"}})
    assert verdicts(any_site.plan())[str(key)] is Verdict.ADOPT
    any_site.adopt(key)
    assert verdicts(any_site.plan())[str(key)] is Verdict.UPDATE
    any_site.applied()
    any_site.release(key)
    live = any_site.live(key)
    assert live is not None
    assert (live.owner, "managedBy" in live.raw["jsonData"]) == ("", False)


def test_what_is_protected_is_not_replaced(any_site: Site) -> None:
    any_site.applied()
    newer = any_site.wanted({**BOARDS, "agents": "All agents"})
    plan = any_site.plan(newer, protect=str(any_site.key("agents")))
    assert [change.action for change in plan.changes] == [Action.KEEP]


def test_the_ledger_tells_people_what_was_applied(any_site: Site) -> None:
    any_site.applied()
    found = any_site.client.get(f"/api/dashboards/uid/{any_site.uid('ledger')}")
    assert found["meta"]["folderUid"] == any_site.uid("administration")
    assert "7 created" in found["dashboard"]["panels"][0]["options"]["content"]
    assert str(any_site.key("ledger")) not in {str(live.key) for live in any_site.state().objects}


def test_without_the_ledger_nothing_is_replaced_or_removed_unasked(any_site: Site) -> None:
    any_site.applied()
    any_site.removed_by_hand("ledger")
    assert any_site.plan().changes == ()
    newer = any_site.wanted({"agents": "All agents"})
    assert verdicts(any_site.plan(newer)) == {str(any_site.key("agents")): Verdict.CONFLICT}
    assert any_site.plan(newer).todo == ()


def test_a_ledger_that_somebody_spoiled_says_so(any_site: Site) -> None:
    any_site.applied()
    any_site.edited_by_hand("ledger", panels=[])
    (said,) = any_site.state().unverified
    assert said.startswith(f"the ledger (dashboard {any_site.uid('ledger')}) cannot be read")
    any_site.applied()  # and is written anew
    assert any_site.state().unverified == ()


def test_each_apply_is_marked_on_the_graphs(any_site: Site) -> None:
    any_site.applied()
    found = any_site.client.get("/api/annotations", tags=any_site.owner)
    assert [sorted(one["tags"]) for one in found] == [sorted([any_site.owner, "apply"])]
    assert found[0]["text"].startswith("7 created: folder «Administration»")


def test_a_copy_with_our_marks_is_not_ours(any_site: Site) -> None:
    any_site.applied()
    found = any_site.client.get(f"/api/dashboards/uid/{any_site.uid('agents')}")["dashboard"]
    copy = {**found, "id": None, "uid": any_site.uid("copy"), "title": "A copy", "version": 0}
    any_site.client.post("/api/dashboards/db", {"dashboard": copy, "folderUid": any_site.uid("business")})
    source = any_site.client.get(f"/api/datasources/uid/{any_site.uid('postgres')}")
    other = {**source, "uid": any_site.uid("other"), "name": f"{any_site.owner} other", "isDefault": False}
    any_site.client.post("/api/datasources", other)
    assert any_site.plan(overwrite=True).changes == ()
    assert any_site.apply(any_site.wanted({}), overwrite=True).complete
    live = any_site.live(any_site.key("copy"))
    assert live is not None
    assert (live.title, live.owner) == ("A copy", "")
    assert any_site.live(Key("data source", any_site.uid("other"))) is not None


def test_a_board_made_by_hand_in_our_folder_is_left_alone(any_site: Site) -> None:
    any_site.applied()
    any_site.made_by_hand("theirs", "Theirs", folder=any_site.uid("business"))
    before = any_site.client.get(f"/api/dashboards/uid/{any_site.uid('theirs')}")["dashboard"]
    plan = any_site.plan()
    assert (plan.changes, plan.parts[0].foreign > 0) == ((), True)
    any_site.applied(any_site.wanted({}))
    assert any_site.client.get(f"/api/dashboards/uid/{any_site.uid('theirs')}")["dashboard"] == before
    assert before["title"] == board("", "Theirs")["title"]
