"""What goes wrong between an apply and Grafana: nothing is written twice, nothing is lost, and people are told why."""

from __future__ import annotations

import pytest

from provisioning.findings import InputError, Unreachable
from provisioning.plan.apply import Outcome
from provisioning.plan.target import Moved, Refused
from provisioning.plan.verdict import Verdict
from provisioning.targets.grafana import client as clients
from provisioning.targets.grafana.client import Client
from provisioning.targets.grafana.ledger import LEASE
from tests.grafana.server import RIGHTS, TOKEN, GrafanaServer
from tests.grafana.site import BOARDS, PASSWORD, Site, board, verdicts

SAVE = "/api/dashboards/db"
WRITES = 18
"""Requests that write in the first apply of the whole site."""


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVATORY_TEST_PASSWORD", PASSWORD)


def said(outcome: Outcome) -> str:
    return " ".join([outcome.silent, *(finding.message for finding in outcome.findings)])


def test_the_first_apply_writes_that_often(site: Site, server: GrafanaServer) -> None:
    site.applied()
    assert len(server.writes()) == WRITES


@pytest.mark.parametrize("writes", range(WRITES))
def test_wherever_an_apply_is_interrupted_the_next_one_does_the_rest_and_no_more(
    site: Site, server: GrafanaServer, writes: int
) -> None:
    """The line is cut after so many writes, so that nothing can be tidied up either."""
    plan = site.plan()
    server.fuse = writes
    outcome = site.carry_out(plan)
    assert "does not answer" in said(outcome)
    server.fuse = None
    server.world.pass_by(LEASE)
    assert site.apply().complete
    assert site.plan().changes == ()
    boards = {uid: held["version"] for uid, held in server.world.dashboards.items() if uid != site.uid("ledger")}
    assert boards == {site.uid(name): 1 for name in BOARDS}
    assert server.world.permissions[site.uid("administration")] == []


def test_what_was_done_before_the_interruption_is_told(site: Site, server: GrafanaServer) -> None:
    server.goes_wrong("POST", "/api/datasources", times=99, code=502)
    outcome = site.apply()
    assert [str(change.key) for change in outcome.done] == [
        f"{kind} {site.uid(folder)}" for kind in ("folder", "permissions") for folder in ("administration", "business")
    ]
    assert f"Grafana at {server.url} fails: POST /api/datasources: 502 not now (asked 5 times)" in outcome.silent


def test_a_killed_apply_holds_the_ledger_for_a_while(site: Site, server: GrafanaServer) -> None:
    plan = site.plan()
    server.fuse = 6
    site.carry_out(plan)
    server.fuse = None
    again = site.plan()
    (note,) = again.parts[0].state.unverified
    assert note.endswith("is applying at this moment, so this may be old at once")
    held = site.carry_out(again)
    assert held.done == []
    assert "is applying at this moment; wait until that is done, or, if it was killed, 120 seconds" in said(held)
    server.world.pass_by(LEASE)
    assert site.apply().complete


def test_of_two_applies_at_once_one_is_refused_before_it_writes_anything(site: Site, server: GrafanaServer) -> None:
    one, other = site.plan(), site.plan()
    between: list[Outcome] = []
    server.goes_wrong("POST", "/api/datasources", first=lambda: between.append(_meanwhile(server, site, other)))
    assert site.carry_out(one).complete
    (outcome,) = between
    assert outcome.done == []
    assert "is applying at this moment" in said(outcome)
    assert "somebody applied, or edited the ledger, since the plan was made" in said(site.carry_out(other))


def _meanwhile(server: GrafanaServer, site: Site, plan: object) -> Outcome:
    """What another process does while the server holds a request of ours back."""
    server.guard.release()
    try:
        return site.carry_out(plan)  # type: ignore[arg-type]
    finally:
        server.guard.acquire()


def test_of_two_applies_that_begin_in_the_same_moment_one_stops(site: Site, server: GrafanaServer) -> None:
    site.applied()
    state, other = site.state(), site.target()
    server.goes_wrong("POST", SAVE, first=lambda: _begin(server, other, state))
    with pytest.raises(Moved, match="another apply took the ledger over"):
        site.target().begin(state)


def _begin(server: GrafanaServer, target: object, state: object) -> None:
    server.guard.release()
    try:
        target.begin(state)  # type: ignore[attr-defined]
    finally:
        server.guard.acquire()


def test_an_apply_that_was_taken_for_dead_stops_when_it_wakes_up(site: Site, server: GrafanaServer) -> None:
    site.applied()
    sleeper, state = site.target(), site.state()
    sleeper.begin(state)
    server.world.pass_by(LEASE)
    site.target().begin(site.state())
    with pytest.raises(Moved, match="another apply took the ledger over; this one stops"):
        sleeper.remember(state.ledger)


@pytest.mark.parametrize("kind", ["dashboard", "data source", "folder"])
def test_an_edit_between_plan_and_apply_is_not_overwritten(site: Site, server: GrafanaServer, kind: str) -> None:
    site.applied()
    world = server.world
    held, field = {
        "dashboard": (world.dashboards[site.uid("agents")], "data"),
        "data source": (world.data_sources[site.uid("postgres")], "user"),
        "folder": (world.folders[site.uid("business")], "title"),
    }[kind]
    first, second = (
        (board(site.uid("agents"), title) | {"tags": [site.owner]} if kind == "dashboard" else title) for title in ("A", "B")
    )
    held |= {field: first, "version": 5}
    plan = site.plan(overwrite=True)
    assert [change.key.kind for change in plan.todo] == [kind]
    held |= {field: second, "version": 6}
    outcome = site.carry_out(plan)
    assert outcome.done == []
    assert outcome.findings[0].remedy == "run `observatory plan` again"
    assert any(words in said(outcome) for words in ("changed by someone else", "updated by someone else"))
    assert held[field] == second


def test_what_was_edited_since_the_plan_is_not_removed(site: Site, server: GrafanaServer) -> None:
    site.applied()
    plan = site.plan(site.wanted({"agents": "Agents"}))
    site.edited_by_hand("cost", title="Our cost")
    outcome = site.carry_out(plan)
    assert f"dashboard {site.uid('cost')} was changed since it was read" in said(outcome)
    assert server.world.dashboards[site.uid("cost")]["data"]["title"] == "Our cost"


def test_permissions_that_changed_since_the_plan_are_not_overwritten(site: Site, server: GrafanaServer) -> None:
    site.applied()
    server.world.permissions[site.uid("business")] = []
    plan = site.plan(overwrite=True)
    server.world.permissions[site.uid("business")] = [{"role": "Editor", "permission": 4}]
    assert "were changed since they were read" in said(site.carry_out(plan))
    assert server.world.permissions[site.uid("business")] == [{"role": "Editor", "permission": 4}]


@pytest.mark.parametrize("path", ["/api/folders", "/api/folders/ours-business/permissions", "/api/datasources", SAVE])
def test_a_lost_answer_does_not_make_anything_twice(site: Site, server: GrafanaServer, path: str) -> None:
    fault = server.goes_wrong("POST", path, lost=True)
    site.applied()
    assert fault.times == 0
    assert {held["version"] for uid, held in server.world.dashboards.items() if uid != site.uid("ledger")} == {1}


def test_a_lost_answer_to_a_change_is_no_edit_of_somebody_else(site: Site, server: GrafanaServer) -> None:
    site.applied()
    server.world.data_sources[site.uid("postgres")] |= {"user": "hers", "version": 5}
    server.world.folders[site.uid("business")] |= {"title": "Shop", "version": 5}
    server.goes_wrong("PUT", "/api/datasources/uid/.*", lost=True)
    server.goes_wrong("PUT", "/api/folders/.*", lost=True)
    assert site.apply(overwrite=True).complete
    assert site.plan().changes == ()


def test_an_annotation_whose_answer_is_lost_is_not_made_twice(site: Site, server: GrafanaServer) -> None:
    server.goes_wrong("POST", "/api/annotations", lost=True)
    outcome = site.apply()
    assert outcome.complete
    assert [finding.severity for finding in outcome.findings] == ["warning"]
    assert "this apply is not marked on the graphs" in said(outcome)
    assert len(server.world.annotations) == 1


def test_a_rate_limit_is_waited_for_as_long_as_grafana_asks(site: Site, server: GrafanaServer, pauses: list[float]) -> None:
    server.goes_wrong("GET", "/api/search", times=2, code=429, headers={"Retry-After": "7"})
    server.goes_wrong("POST", SAVE, code=429, headers={"Retry-After": "Mon, 02 Nov 2026 08:00:12 GMT"})
    site.applied()
    assert pauses == [7, 7, 12]


def test_a_rate_limit_that_lasts_too_long_ends_it_in_words(site: Site, server: GrafanaServer, pauses: list[float]) -> None:
    server.goes_wrong("GET", "/api/search", times=9, code=429, headers={"Retry-After": "3600"})
    with pytest.raises(Unreachable, match=r"allows no more requests at the moment \(429\); it asks to wait 3600 seconds"):
        site.plan()
    assert pauses == []


def test_failures_that_pass_are_tried_again_with_growing_pauses(site: Site, server: GrafanaServer, pauses: list[float]) -> None:
    server.goes_wrong("GET", "/api/search", code=500)
    server.goes_wrong("GET", "/api/search", code=503)
    server.goes_wrong("GET", "/api/search", unread=True)
    assert site.plan().todo
    assert pauses == [0.5, 1, 2]


def test_failures_that_do_not_pass_end_it(site: Site, server: GrafanaServer, pauses: list[float]) -> None:
    server.goes_wrong("GET", "/api/search", times=99, code=503)
    with pytest.raises(Unreachable, match=r"fails: GET /api/search: 503 not now \(asked 5 times\)"):
        site.plan()
    assert pauses == [0.5, 1, 2, 4]


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(
    site: Site, server: GrafanaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "READ", 0.05)
    server.goes_wrong("GET", "/api/search", times=99, silent=True)
    with pytest.raises(Unreachable, match=r"does not answer: no answer in time \(asked 5 times\)"):
        site.plan()


def test_a_slow_answer_is_asked_for_again(site: Site, server: GrafanaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "READ", 0.5)
    server.goes_wrong("GET", "/api/search", silent=True)
    assert site.plan().todo


def test_nobody_there(pauses: list[float]) -> None:
    with pytest.raises(Unreachable, match=r"Grafana at http://127.0.0.1:1 does not answer: .*refused \(asked 3 times\)"):
        Site(Client("http://127.0.0.1:1", TOKEN, pauses.append), "ours").plan()


def test_a_host_that_cannot_be_found_is_told_in_whole_words(pauses: list[float]) -> None:
    with pytest.raises(Unreachable) as raised:
        Client("http://grafana.invalid", TOKEN, pauses.append).get("/api/folders")
    assert str(raised.value).count("(") == str(raised.value).count(")")


@pytest.mark.parametrize("said", ["{}", '{"status": "success", "data": null}', "[5]"])
def test_what_says_yes_to_every_question_is_not_grafana(site: Site, server: GrafanaServer, said: str) -> None:
    server.goes_wrong("GET", ".*", times=99, page=said)
    with pytest.raises(Unreachable, match="is not Grafana: it knows no dashboards"):
        site.plan()


def test_what_has_no_folders_is_not_grafana(site: Site, server: GrafanaServer) -> None:
    server.goes_wrong("GET", ".*", times=99, code=404)
    with pytest.raises(Unreachable, match="is not Grafana: GET /api/folders"):
        site.plan()


def test_an_expired_token_is_told_with_what_to_do(site: Site, server: GrafanaServer) -> None:
    server.tokens[TOKEN].expired = True
    with pytest.raises(InputError, match=r"does not accept the token: Expired API key. Make a new token .*TOKEN or sources\."):
        site.plan()


def test_a_token_that_expires_on_the_way_leaves_an_apply_that_goes_on_later(site: Site, server: GrafanaServer) -> None:
    def expire() -> None:
        server.tokens[TOKEN].expired = True

    server.goes_wrong("POST", "/api/datasources", first=expire)
    outcome = site.apply()
    assert "does not accept the token" in said(outcome)
    assert len(outcome.done) == 4
    server.tokens[TOKEN].expired = False
    server.world.pass_by(LEASE)
    assert site.apply().complete


NEEDED = sorted(right for right in RIGHTS if not right.endswith(":delete") and not right.startswith(("alert", "teams", "org.")))
NEEDED.remove("annotations:read")


@pytest.mark.parametrize("right", NEEDED)
def test_a_missing_right_is_named(site: Site, server: GrafanaServer, right: str) -> None:
    if right in ("folders:write", "datasources:write"):
        site.applied()
        server.world.folders[site.uid("business")]["title"] = "Shop"
        server.world.data_sources[site.uid("postgres")]["user"] = "hers"
    server.tokens[TOKEN].rights.discard(right)
    try:
        text = said(site.apply(overwrite=True))
    except InputError as problem:
        text = str(problem)
    if right == "annotations:create":
        assert "this apply is not marked on the graphs" in text
    assert f"the token lacks the right {right}; docs/grafana.md lists them all" in text


def test_a_token_without_the_right_to_remove_says_so(site: Site, server: GrafanaServer) -> None:
    site.applied()
    server.tokens[TOKEN].rights.discard("dashboards:delete")
    outcome = site.apply(site.wanted({"agents": "Agents"}))
    assert "the token lacks the right dashboards:delete" in said(outcome)


def test_a_team_that_is_not_there_is_named(site: Site, server: GrafanaServer) -> None:
    from contract.grafana import FolderAccess

    wanted = site.wanted(business=FolderAccess(teams={"Platform": "edit"}))
    assert "Grafana has no team Platform; make it there, or correct grafana.folders" in said(site.apply(wanted))
    server.world.teams = {"Platform": 4, "Support": 5}
    site.applied(wanted)
    assert server.world.permissions[site.uid("business")] == [{"teamId": 4, "permission": 2}]


def test_what_comes_from_files_is_left_to_them(site: Site, server: GrafanaServer) -> None:
    site.applied()
    server.world.dashboards[site.uid("agents")]["provisioned"] = "Business/agents.json"
    outcome = site.apply(site.wanted({"agents": "All agents"}))
    assert "comes from Business/agents.json on Grafana's machine and cannot be changed; remove it there first" in said(outcome)
    server.world.data_sources[site.uid("postgres")] |= {"readOnly": True, "user": "hers"}
    assert "comes from a file on Grafana's machine and cannot be changed" in said(site.apply(overwrite=True))


def test_what_comes_from_files_cannot_be_adopted(site: Site, server: GrafanaServer) -> None:
    site.made_by_hand("agents", "From a file")
    server.world.dashboards[site.uid("agents")]["provisioned"] = "Business/agents.json"
    assert verdicts(site.plan())[str(site.key("agents"))] is Verdict.ADOPT
    with pytest.raises(Refused, match=r"comes from Business/agents\.json on Grafana's machine and cannot be changed"):
        site.adopt(site.key("agents"))
    assert site.apply().complete  # the rest is not held up by it
    assert server.world.dashboards[site.uid("agents")]["version"] == 1


def test_another_data_source_of_the_same_name_is_named(site: Site, server: GrafanaServer) -> None:
    hers = {"name": "ours PostgreSQL", "uid": "hers", "type": "prometheus", "access": "proxy", "url": "http://127.0.0.1:1"}
    site.client.post("/api/datasources", hers)
    assert "another one is called ours PostgreSQL; rename it, or give its uid in the configuration" in said(site.apply())
    assert set(server.world.data_sources) == {"hers"}


def test_a_folder_with_something_of_others_in_it_is_not_removed(site: Site, server: GrafanaServer) -> None:
    site.applied()
    server.world.dashboards["theirs"] = {
        **server.world.dashboards[site.uid("cost")], "data": board("theirs", "Theirs"), "folder": site.uid("business"),
    }  # fmt: skip
    fewer = tuple(wanted for wanted in site.wanted({}) if "business" not in wanted.key.name)
    plan = site.plan(fewer)
    assert verdicts(plan)[f"folder {site.uid('business')}"] is Verdict.PRUNE
    outcome = site.carry_out(plan)
    assert "is not empty (1 dashboard); move or remove what is in it, then apply again" in said(outcome)
    assert "theirs" in server.world.dashboards
    del server.world.dashboards["theirs"]
    assert site.apply(fewer).complete
    assert site.uid("business") not in server.world.folders


@pytest.mark.parametrize(
    ("code", "headers", "words"),
    [
        (302, {"Location": "https://sso.example.com/login?next=secret"}, "points to https://sso.example.com/login instead"),
        (418, {}, "Grafana refuses GET /api/search: 418 not now"),
    ],
)
def test_what_is_not_grafana_is_told(site: Site, server: GrafanaServer, code: int, headers: dict[str, str], words: str) -> None:
    server.goes_wrong("GET", "/api/search", code=code, headers=headers)
    with pytest.raises((InputError, Unreachable, Refused), match=words):
        site.plan()
