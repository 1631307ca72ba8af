"""What people read of a plan: short at a terminal, folded in a pull request, and nothing secret anywhere."""

from __future__ import annotations

import json
from typing import Any

from memory_target import BY_LEDGER, ME, Held, MemoryTarget, Server, wanted

from provisioning.plan import changes, documents, markdown, reports
from provisioning.plan.changes import Choice, Plan
from provisioning.plan.objects import Key, Wanted, digest


def board(**panels: str) -> dict[str, Any]:
    return {
        "panels": [
            {"id": number, "title": title, "targets": [{"refId": "A", "expr": expr}]}
            for number, (title, expr) in enumerate(panels.items())
        ]
    }


def plan(after: Any, before: Any = None, kind: str = "dashboard", others: int = 0) -> Plan:
    server = Server()
    if before is not None:
        server.objects[Key(kind, "agents")] = Held(before)
        server.ledger[Key(kind, "agents")] = digest(before)
    for number in range(others):
        server.objects[Key(kind, f"other-{number}")] = Held(1, "")
    return changes.make([MemoryTarget(server, [wanted(kind, "agents", after)] if after is not None else [])], Choice(ME))


def test_the_text_begins_with_counts_and_tells_each_object() -> None:
    made = plan(board(Errors="b"), board(Errors="a"), others=3)
    assert reports.plan_text(made) == (
        "1 to change, 3 of others\n"
        "\n"
        "memory\n"
        "  ~ dashboard «agents of ours» (agents)  [query]\n"
        "      panel «Errors»: query A: b instead of a"
    )


def test_the_text_tells_eight_differences_and_counts_the_others() -> None:
    made = plan(board(**{f"P{n}": "b" for n in range(15)}), board(**{f"P{n}": "a" for n in range(15)}))
    lines = reports.plan_text(made).splitlines()
    assert (len(lines), lines[-1]) == (13, "      and 7 more")


def test_who_is_told_differently_stands_before_everything_else() -> None:
    made = Plan(ME, False, plan(1).parts, ("AgentErrors (production): now Slack #agents",))
    text, comment = reports.plan_text(made), markdown.plan_markdown(made)
    assert text.index("AgentErrors") < text.index("memory\n")
    assert comment.index("AgentErrors") < comment.index("| target |")


def test_the_comment_has_a_table_and_folds_details() -> None:
    comment = markdown.plan_markdown(plan(board(Errors="x" * 70), board(Errors="a"), others=2))
    assert comment.splitlines() == [
        "### Plan of agent-observatory: 1 to change, 2 of others",
        "",
        "| target | to change | of others |",
        "|---|---:|---:|",
        "| memory | 1 | 2 |",
        "",
        "<details><summary><code>query</code> ~ memory: dashboard «agents of ours» (agents)</summary>",
        "",
        "- `query` panel «Errors»: query A changed",
        "",
        "  ```diff",
        "  - a",
        f"  + {'x' * 70}",
        "  ```",
        "",
        "",
        "</details>",
    ]


def test_words_of_a_document_are_no_markup_and_mention_nobody() -> None:
    comment = markdown.plan_markdown(plan({"title": "<b>@team</b> [x](y)"}, {"title": "a`b"}))
    line = next(line for line in comment.splitlines() if line.startswith("- `cosmetic`"))
    assert "<b>" not in line
    assert "@team" not in line
    assert "[x](y)" not in line
    long = markdown.plan_markdown(plan({"d": "```\n</details>\n@team" + "x" * 80}, {"d": ""}))
    assert "  ````diff" in long


def test_a_comment_is_never_longer_than_a_host_takes() -> None:
    server = Server()
    wants = []
    for number in range(200):
        key = Key("dashboard", f"d{number}")
        server.objects[key] = Held({"text": "a" * 1000})
        server.ledger[key] = digest({"text": "a" * 1000})
        wants.append(wanted("dashboard", key.name, {"text": "b" * 1000}))
    comment = markdown.plan_markdown(changes.make([MemoryTarget(server, wants)], Choice(ME)))
    assert len(comment) < 65_000
    assert "more objects change; the plan's file has them all." in comment
    assert comment.count("<details>") == comment.count("</details>")


def test_a_title_that_only_repeats_the_name_is_left_out() -> None:
    key = Key("alert rules", "agent_alerts")
    for title, name in (("Rules agent_alerts", "alert rules agent_alerts"), ("Agents", "alert rules «Agents» (agent_alerts)")):
        made = changes.make([MemoryTarget(Server(), [Wanted(key, title, 1)])], Choice(ME))
        assert made.changes[0].name == name


def test_many_objects_that_are_alike_are_one_line() -> None:
    wants = [wanted("dashboard", f"d{number}", number) for number in range(9)]
    made = changes.make([MemoryTarget(Server(), [*wants, wanted("alert rules", "a", 1)])], Choice(ME))
    assert reports.plan_text(made).splitlines()[3:] == [
        "  + 9 dashboards: d0, d1, d2 and 6 more  [query]",
        "  + alert rules «a of ours» (a)  [routing]",
    ]
    assert "- `query` + memory: 9 dashboards: d0, d1, d2 and 6 more" in markdown.plan_markdown(made).splitlines()


def test_what_could_not_be_verified_is_in_every_report() -> None:
    target = MemoryTarget(Server(), [wanted(BY_LEDGER, "business", 1)])
    target.unverified = ("the password of data source PostgreSQL",)
    made = changes.make([target], Choice(ME))
    for report in (reports.plan_text(made), markdown.plan_markdown(made), json.dumps(documents.of_plan(made))):
        assert "the password of data source PostgreSQL" in report


def test_no_report_holds_a_document_or_what_is_sent() -> None:
    canary = "canary-77aa"
    server = Server({Key("data source", "a"): Held({"password": canary, "url": f"http://me:{canary}@h"})})
    target = MemoryTarget(server, [wanted("data source", "a", {"password": f"new-{canary}"}, {"secureJsonData": canary})])
    target.kinds = ("data source",)
    made = changes.make([target], Choice(ME))
    assert made.left
    for report in (
        reports.plan_text(made),
        reports.dry_run_text(made),
        markdown.plan_markdown(made),
        json.dumps(documents.of_plan(made)),
    ):
        assert canary not in report
