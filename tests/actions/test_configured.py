"""Service levels and budgets, from what was before to taking them back, with a real audit log."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from click.testing import CliRunner, Result

from alert_rules import rules
from provisioning import config
from provisioning.actions import action as frame
from provisioning.actions import audit, configured
from provisioning.actions.configured import BUDGETS, Entry
from provisioning.cli import main
from recording_rules import registry

SITE = """\
# Ours.
environments: [production, staging]

budgets:
  - scope: all             # for everybody
    monthly_usd: 4000
"""
SLO = (
    "--sli", "latency", "--agents", "billing", "--target-seconds", "5", "--objective", "95", "--team", "agents",
    "--description", "Billing answers within five seconds.",
)  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "observatory.yaml"
    place.write_text(SITE)
    return place


@pytest.fixture
def log(platform: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(audit.VARIABLE, platform)
    monkeypatch.setenv(audit.ACTOR_VARIABLE, "ada")
    return platform


def _silent(_: str) -> None:
    """Nobody reads it."""


def run(*words: str, input: str | None = None) -> Result:
    return CliRunner().invoke(main, list(words), input=input)


def recorded(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT actor, action, target, before, after FROM analytics.audit_log ORDER BY id").fetchall()


def rollback(result: Result) -> list[str]:
    import shlex

    return [*shlex.split(result.output.strip().splitlines()[-1])[1:], "--yes"]


def test_from_a_first_look_to_taking_it_back(site: Path, log: str) -> None:
    shown = run("slo", "set", "billing-in-time", *SLO, "--dry-run")
    assert shown.exit_code == 0 and "+objective: 95" in shown.output and site.read_text() == SITE and not recorded(log)
    done = run("slo", "set", "billing-in-time", *SLO, "--yes", "--actor", "grace")
    assert done.exit_code == 0, done.output
    settings = config.load(site)
    assert {slo.name for slo in settings.slo} > {"billing-in-time", "platform-available"}, "the defaults stay"
    assert "billing-in-time" in json.dumps(registry.rule_groups(settings), default=str)
    assert site.read_text().startswith(SITE.rstrip())
    [(who, action, target, before, after)] = recorded(log)
    assert (who, action, target, before) == ("grace", "slo set", "slo billing-in-time", None)
    assert after["target_seconds"] == 5 and after["agents"] == ["billing"]

    again = run("slo", "set", "billing-in-time", *SLO, "--yes")
    assert again.exit_code == 0 and "nothing to do" in again.output and len(recorded(log)) == 1

    changed = run("slo", "set", "billing-in-time", *SLO[:-3], "support", *SLO[-2:], "--yes")
    assert changed.exit_code == 0 and '-team: "agents"' in changed.output and '+team: "support"' in changed.output
    back = run(*rollback(changed))
    assert back.exit_code == 0, back.output
    assert config.load(site) == settings
    gone = run(*rollback(done))
    assert gone.exit_code == 0, gone.output
    assert config.load(site) == config.load(None).model_copy(
        update={"environments": ("production", "staging"), "budgets": config.load(site).budgets}
    )
    assert [row[1] for row in recorded(log)] == ["slo set", "slo set", "slo set", "slo remove"]
    assert all(earlier[4] == later[3] for earlier, later in zip(recorded(log), recorded(log)[1:], strict=False))


def test_what_was_done_to_a_file_that_was_named_is_taken_back_there(site: Path, log: str, tmp_path: Path) -> None:
    other = tmp_path / "other site.yaml"
    other.write_text(SITE)
    done = run("budget", "set", "staging", "--monthly-usd", "50", "--yes", "--config", str(other))
    assert done.exit_code == 0 and f"observatory build --config '{other}' &&" in done.output
    assert "staging" in other.read_text().partition("budgets:")[2]
    assert run(*rollback(done)).exit_code == 0 and other.read_text() == SITE


@pytest.mark.parametrize("words", [("slo", "-h"), ("slo", "set", "-h"), ("profile", "start", "-h")])
def test_each_command_says_what_it_takes(words: tuple[str, ...]) -> None:
    asked = run(*words)
    assert asked.exit_code == 0 and asked.output.startswith(f"Usage: observatory {' '.join(words[:-1])} ")


def test_a_link_stays_one_and_so_do_the_ends_of_lines(site: Path, log: str, tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_bytes(SITE.replace("\n", "\r\n").encode())
    site.unlink()
    site.symlink_to(real)
    done = run("budget", "set", "staging", "--monthly-usd", "50", "--yes")
    assert done.exit_code == 0 and site.is_symlink()
    assert real.read_bytes() == f"{SITE}  - scope: staging\n    monthly_usd: 50\n".replace("\n", "\r\n").encode()
    assert run(*rollback(done)).exit_code == 0 and real.read_bytes() == SITE.replace("\n", "\r\n").encode()


def test_a_folder_that_is_missing_is_told(site: Path, log: str) -> None:
    done = run("budget", "set", "staging", "--monthly-usd", "50", "--yes", "--config", "absent/site.yaml")
    assert done.exit_code == 2 and "error: absent/site.yaml: there is no such folder" in done.output and not recorded(log)


@pytest.mark.parametrize("who", ["a\nb", "\udcff", "\x1b[31m", "a" * 201])
def test_who_acts_has_a_name_that_can_be_shown(site: Path, log: str, who: str) -> None:
    done = run("budget", "set", "staging", "--monthly-usd", "50", "--yes", "--actor", who)
    assert done.exit_code == 2 and "at most 200 letters, all in one line" in done.output and not recorded(log)


def test_a_login_without_a_name_is_asked_for_one(site: Path, log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.delenv(audit.ACTOR_VARIABLE)
    monkeypatch.setattr(audit.getpass, "getuser", nobody)
    done = run("budget", "set", "staging", "--monthly-usd", "50", "--yes")
    assert done.exit_code == 2 and "say who you are with --actor" in done.output and not recorded(log)


def test_that_nothing_is_configured_is_said(site: Path) -> None:
    assert run("alert", "list").output == "no alert is configured\n"


def test_a_budget_keeps_the_comments_around_it(site: Path, log: str) -> None:
    done = run("budget", "set", "staging", "--monthly-usd", "50", "--yes")
    assert done.exit_code == 0, done.output
    assert site.read_text() == f"{SITE}  - scope: staging\n    monthly_usd: 50\n"
    assert run(*rollback(done)).exit_code == 0 and site.read_text() == SITE
    assert json.loads(run("budget", "list", "--format", "json").output) == [{"scope": "all", "monthly_usd": 4000}]


def test_what_would_not_be_right_is_not_written(site: Path, log: str) -> None:
    odd = run("slo", "set", "billing-in-time", *SLO[:5], "6", *SLO[6:], "--yes")
    assert odd.exit_code == 2 and "bucket bound" in odd.output and "observatory.yaml" in odd.output
    unknown = run("slo", "remove", "nothing", "--yes")
    assert unknown.exit_code == 2 and "there is no slo nothing" in unknown.output
    nobody = run("slo", "set", "billing-in-time", *SLO)
    assert nobody.exit_code == 2 and "say --yes" in nobody.output
    site.write_text(f"{SITE}nonsense: 1\n")
    broken = run("budget", "set", "all", "--monthly-usd", "1", "--yes")
    assert broken.exit_code == 2 and "unknown key nonsense" in broken.output
    site.with_name("overlays").mkdir()
    (site.parent / "overlays" / "production.yaml").write_text("budgets: [{scope: all, monthly_usd: 7}]\n")
    site.write_text(SITE)
    hidden = run("--overlay", "production", "budget", "set", "staging", "--monthly-usd", "1", "--yes")
    assert hidden.exit_code == 2 and "does an overlay say budgets?" in hidden.output
    assert site.read_text() == SITE and not recorded(log)
    assert not list(site.parent.glob(".*")), "nothing is left behind"


def test_without_rights_or_a_log_nothing_is_written(site: Path, log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("budget", "set", "staging", "--monthly-usd", "50", "--yes")
    with psycopg.connect(log, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody_much")
        connection.execute("CREATE ROLE nobody_much LOGIN")
        try:
            monkeypatch.setenv(audit.VARIABLE, psycopg.conninfo.make_conninfo(log, user="nobody_much"))
            refused = run(*words)
            assert refused.exit_code == 2 and "permission denied" in refused.output
        finally:
            connection.execute("DROP ROLE nobody_much")
    with psycopg.connect(log) as connection:
        connection.execute("ALTER TABLE analytics.audit_log DROP COLUMN rollback")
    monkeypatch.setenv(audit.VARIABLE, log)
    older = run(*words)
    assert older.exit_code == 2 and "older version; run `observatory db install`" in older.output
    monkeypatch.setenv(audit.VARIABLE, "postgresql://x:canary-secret@127.0.0.1:1/x")
    away = run(*words)
    assert away.exit_code == 3 and "canary-secret" not in away.output
    monkeypatch.setenv(audit.VARIABLE, "postgresql//x:canary-secret@127.0.0.1")
    none = run(*words)
    assert none.exit_code == 2 and "is not valid" in none.output and "canary-secret" not in none.output
    monkeypatch.delenv(audit.VARIABLE)
    missing = run(*words)
    assert missing.exit_code == 2 and audit.VARIABLE in missing.output
    assert run(*words, "--dry-run").exit_code == 0, "looking needs no database"
    assert site.read_text() == SITE and not recorded(log)


def test_a_file_that_cannot_be_written_is_not_recorded(site: Path, log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(configured.Path, "replace", full)
    done = run("budget", "set", "staging", "--monthly-usd", "50", "--yes")
    assert done.exit_code == 2 and "No space left" in done.output
    assert site.read_text() == SITE and not recorded(log) and not list(site.parent.glob(".*"))


def test_what_changes_while_one_is_asked_is_not_overwritten(site: Path, log: str) -> None:
    def meanwhile(_: str) -> bool:
        site.write_text(SITE.replace("4000", "5000"))
        return True

    manner = frame.Manner("ada", False, False, "text", None, _silent, _silent, meanwhile)
    entry = Entry(site, BUDGETS, "all", {"scope": "all", "monthly_usd": 10})
    with pytest.raises(Exception, match="was changed meanwhile"):
        frame.perform(entry, manner)
    assert yaml.safe_load(site.read_text())["budgets"] == [{"scope": "all", "monthly_usd": 5000}] and not recorded(log)


def test_two_entries_of_one_file_at_once_are_both_kept(site: Path, log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins while the first has read the file, and not written it."""
    real, second = configured._replace, []
    manner = frame.Manner("ada", False, True, "text", None, _silent, _silent, lambda _: True)

    def budget(scope: str) -> None:
        frame.perform(Entry(site, BUDGETS, scope, {"scope": scope, "monthly_usd": 7}), manner)

    def slowly(path: Path, body: bytes) -> None:
        if not second:
            second.append(threading.Thread(target=budget, args=("staging",), daemon=True))
            second[0].start()
            end = time.monotonic() + 60
            while second[0].is_alive() and not _waits(log) and time.monotonic() < end:
                time.sleep(0.01)
        real(path, body)

    monkeypatch.setattr(configured, "_replace", slowly)
    budget("production")
    second[0].join(60)
    assert [entry["scope"] for entry in yaml.safe_load(site.read_text())["budgets"]] == ["all", "production", "staging"]
    assert len(recorded(log)) == 2


def _waits(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
        return connection.execute(waiting).fetchone() is not None


def test_what_another_wrote_meanwhile_is_not_put_back(site: Path, log: str) -> None:
    entry = Entry(site, BUDGETS, "staging", {"scope": "staging", "monthly_usd": 7})
    with psycopg.connect(log) as connection:
        undo = entry.carry_out(connection, entry.planned(connection))
    undo()
    assert site.read_text() == SITE
    with psycopg.connect(log) as connection:
        undo = entry.carry_out(connection, entry.planned(connection))
    site.write_text("# by another\n")
    undo()
    assert site.read_text() == "# by another\n"


def test_a_program_is_not_changed(site: Path, log: str) -> None:
    site.unlink()
    site.with_suffix(".jsonnet").write_text("{ budgets: [] }")
    done = run("budget", "set", "all", "--monthly-usd", "1", "--yes")
    assert done.exit_code == 2 and "is a program" in done.output


def test_a_site_without_a_file_gets_one(site: Path, log: str) -> None:
    site.unlink()
    assert run("budget", "set", "production", "--monthly-usd", "9", "--yes").exit_code == 0
    assert yaml.safe_load(site.read_text()) == {
        "budgets": [{"scope": "all", "monthly_usd": 4000}, {"scope": "production", "monthly_usd": 9}]
    }


OWN = (
    "alert", "create", "BillingSlow", "--measure", "latency", "--above", "5", "--agents", "billing", "--team", "finance",
    "--reason", "Customers leave when an invoice takes this long.", "--yes",
)  # fmt: skip


def test_an_alert_of_ones_own(site: Path, log: str) -> None:
    done = run(*OWN)
    assert done.exit_code == 0, done.output
    [rule] = [
        rule for group in rules.rule_groups(config.load(site)) for rule in group["rules"] if rule["alert"] == "BillingSlow"
    ]
    assert 'agent="billing"' in rule["expr"] and "> 5" in rule["expr"] and rule["labels"]["team"] == "finance"
    louder = run(*OWN[:-1], "--severity", "critical", "--yes")
    assert louder.exit_code == 0 and '+severity: "critical"' in louder.output, louder.output
    assert run(*rollback(louder)).exit_code == 0
    assert json.loads(run("alert", "list", "--format", "json").output)[0]["severity"] == "warning"
    assert run(*rollback(done)).exit_code == 0 and config.load(site).alerts == ()
    assert [row[1] for row in recorded(log)] == ["alert create", "alert create", "alert create", "alert remove"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--above", "6"), "no bucket bound"),
        (("--above", "0"), "0 should be greater than 0"),
        (("--measure", "errors"), "between 0 and 1"),
        (("--team", "nobody"), "nobody"),
        (("--hold", "2d"), "1h"),
        (("--reason", "{{ .Labels }}"), "reason"),
    ],
)
def test_an_odd_alert_is_refused(site: Path, log: str, change: tuple[str, str], said: str) -> None:
    done = run(*OWN, *change)
    assert done.exit_code == 2 and said in done.output, done.output
    assert site.read_text() == SITE and not recorded(log)


@pytest.mark.parametrize("name", ["billing-slow", "Billing Slow", "AgentErrorsPage"])
def test_a_name_is_of_its_own_kind(site: Path, log: str, name: str) -> None:
    done = run(*OWN[:2], name, *OWN[3:])
    assert done.exit_code == 2, done.output
    assert site.read_text() == SITE
