"""A configuration is read as a whole, and every mistake is shown in its place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contract.settings import Settings
from provisioning import config
from provisioning.findings import ConfigError, Finding

ROOT = Path(__file__).resolve().parents[2]


def findings(tmp_path: Path, text: str | bytes) -> list[tuple[str, str, str]]:
    """Place (without the file), message and remedy of every mistake."""
    file = tmp_path / "observatory.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as raised:
        config.load(file)
    assert str(raised.value).count("error: ") == len(raised.value.findings)

    def short(finding: Finding) -> tuple[str, str, str]:
        assert finding.place.startswith(str(file))
        return finding.place.removeprefix(str(file)).removeprefix(":"), finding.message, finding.remedy

    return [short(finding) for finding in raised.value.findings]


def test_the_file_at_the_top_says_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert config.load(Path("observatory.yaml")) == Settings() == config.load(None)


def test_the_file_at_the_top_names_every_key() -> None:
    from provisioning import yaml_source

    written = yaml_source.parse("observatory.yaml", (ROOT / "observatory.yaml").read_text()).data

    def keys(node: object, at: str = "") -> set[str]:
        if isinstance(node, dict):
            return {f"{at}.{key}" for key in node} | {k for key, value in node.items() for k in keys(value, f"{at}.{key}")}
        return {k for item in node for k in keys(item, at)} if isinstance(node, list) else set()

    assert keys(written) == keys(Settings().model_dump(mode="json"))


def test_every_mistake_is_shown_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        "sources:\n"
        "  prometheus:\n"
        "    urll: http://x\n"
        "thresholds:\n"
        "  success_ratio: yes\n"
        "  minimum_queries: 0\n"
        "  minimum_queries: 5\n"
        "teams:\n"
        "  - {name: ops, slack_channel: 12, email: ops@example.com}\n",
    )
    assert [place for place, _, _ in found] == [
        "3:5: sources.prometheus.urll",
        "5:3: thresholds.success_ratio",
        "6:3: thresholds.minimum_queries",
        "7:3: thresholds.minimum_queries",
        "9:17: teams[0].slack_channel",
    ]
    assert found[0][1:] == ("unknown key urll", "did you mean url?")
    assert found[1][1:] == ("true should be a valid number", "for example 0.9")
    assert found[2][1].startswith("0 should be greater")
    assert found[3][1] == "key minimum_queries stands twice, first in line 6"
    assert found[4][2] == 'put it in quotes: "12"'


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "", "the file says nothing"),
        ("# only words\n", "", "the file says nothing"),
        ("#" * 100_001, "", "more than 100000 bytes"),
        (
            "a: &a [1,1,1,1,1,1,1,1]\n"
            + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 8)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
            "",
            "more than 20000 values",
        ),
        ("a: [1\nb: 2\n", "2:2", "not YAML"),
        ("\ta: 1\n", "1:1", "not YAML"),
        ("a: 1\n---\nb: 2\n", "2:1", "expected a single document"),
        ("a: \x01\n", "1", "character 1 is not allowed"),
        (b"a: 1\nb: \xff\n", "2", "byte 0xff is not UTF-8"),
        ("- a\n", "1:1", "where settings with keys are wanted"),
        ("exporter: {listen: !!python/name:os.system x}\n", "1:12: exporter.listen", "is not allowed"),
        ("exporter:\n  ? [a]\n  : 1\n", "2:5", "a key must be a word"),
        ("a: &a [*a]\n", "", "contains itself"),
        ("[" * 4000, "", "nested too deeply"),
        ("sources:\n", "1:1: sources", "null where settings with keys are wanted"),
        ("exporter: {query_timeout: 5 minutes}\n", "1:12: exporter.query_timeout", "is not a duration"),
        ("budgets: [{scope: moon}]\n", "1:1: budgets", "neither 'all' nor one of the environments"),
        ("environments: [a, a]\n", "1:1: environments", "named twice: a"),
        ("teams: []\n", "1:1: teams", "at least one is needed"),
        (
            "slo: [{name: s, sli: errors, team: platform, description: Answered well., objective: 100}]\n",
            "1:75: slo[0].objective",
            "100 should be less than",
        ),
        ("budgets: [{monthly_usd: .inf}]\n", "1:12: budgets[0].monthly_usd", "finite"),
        ("thresholds:\n  error_ratio: 0.4\n", "1:1: thresholds.error_ratio_critical", "must be above error_ratio"),
        ("sources: {langfuse: {plan: gold}}\n", "1:22: sources.langfuse.plan", "'hobby', 'core', 'pro' or 'self-hosted'"),
        ("sources: {alertmanager: {url: 'http://x:99999999/'}}\n", "1:26: sources.alertmanager.url", "between 1 and 65535"),
        ("sources: {grafana: {url: 'http://[::1'}}\n", "1:21: sources.grafana.url", "between 1 and 65535"),
        ("sources: {grafana: {url: 'http://:80'}}\n", "1:21: sources.grafana.url", "is not an address"),
        ("sources: {grafana: {url: 'http://a b'}}\n", "1:21: sources.grafana.url", "is not an address"),
        ("sources: {postgres: {host: 'db:0'}}\n", "1:22: sources.postgres.host", "between 1 and 65535"),
        ("scrape: {exporter: ['x:99999']}\n", "1:21: scrape.exporter[0]", "between 1 and 65535"),
        ("exporter: {listen: 'x:99999'}\n", "1:12: exporter.listen", "between 1 and 65535"),
        ("notifications: {smtp: {smarthost: 'x:99999'}}\n", "1:24: notifications.smtp.smarthost", "between 1 and 65535"),
        ("notifications: {smtp: {username: x}}\n", "1:17: notifications.smtp.password_file", "without password_file"),
        (f"thresholds: {{minimum_queries: {'9' * 400}}}\n", "1:14: thresholds.minimum_queries", "less than or equal to"),
        ("exporter: {query_timeout: 999999999y}\n", "1:12: exporter.query_timeout", "between 1ms and 10m"),
        ("exporter: {max_age: 31d}\n", "1:12: exporter.max_age", "between 1s and 30d"),
        ("exporter: {intervals: {langfuse: 2d}}\n", "1:24: exporter.intervals.langfuse", "between 1s and 1d"),
        ("sources: {prometheus: {scrape_interval: 0s}}\n", "1:24: sources.prometheus.scrape_interval", "between 1s and 1d"),
        ("sources: {prometheus: {retention: 999999999y}}\n", "1:24: sources.prometheus.retention", "between 1h and 100y"),
        ("sources: {prometheus: {uid: a b/c}}\n", "1:24: sources.prometheus.uid", "should match pattern"),
        ("sources: {prometheus: {uid: x}, postgres: {uid: x}}\n", "1:33: sources.postgres", "the one of Prometheus"),
        ("sources: {prometheus: {uid: alertmanager}}\n", "1:11: sources.prometheus", "the one of Alertmanager"),
        ("environments: [live, all]\n", "1:1: environments", "can be called 'all'"),
        ("scrape: {platform: []}\n", "1:10: scrape.platform", "at least one is needed"),
        ('exporter: {listen: "\\ud800"}\n', "1:12: exporter.listen", "is no value of its kind"),
        ("teams: [{email: a@b}]\n", "1:9: teams[0].name", "name is missing"),
        ("teams: [{name: a}]\n", "1:9: teams[0]", "nobody can reach team a; give it a slack_channel or an email"),
        ("teams: [{name: a, email: a@b, hours: {end: 18:00}}]\n", "1:39: teams[0].hours.end", 'stands in quotes: "18:00"'),
    ],
)
def test_one_mistake_of_each_kind(tmp_path: Path, text: str | bytes, place: str, message: str) -> None:
    found = findings(tmp_path, text)
    assert [found[0][0]] == [place]
    assert message in found[0][1]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("database: {relations: {users: x}}", "leave it away, or give some of: table, query, absent"),
        ("database: {relations: {users: {tabel: a.b}}}", "did you mean table?"),
        ("exporter: {tls: x}", "leave it away, or give some of: certificate_file, key_file"),
        ("exporter: {tls: {certificate_fil: x}}", "did you mean certificate_file?"),
        ("sources: {langfuse: {prices: [x]}}", "leave it away, or give some of: model, since, input"),
    ],
)
def test_settings_that_nobody_has_by_default_have_keys_too(tmp_path: Path, text: str, remedy: str) -> None:
    assert any(remedy in said for _, _, said in findings(tmp_path, text))


@pytest.mark.parametrize("key", ["prometheus: {url: %s}", "langfuse: {base_url: %s}", "postgres: {host: %s}"])
@pytest.mark.parametrize("address", ["https://root:pass/word@h", "http://root:password@h:80", "http://rootpass@h/a"])
def test_a_login_in_an_address_is_refused_and_not_repeated(tmp_path: Path, key: str, address: str) -> None:
    found = findings(tmp_path, f"sources: {{{key % address}}}\n")
    assert "keep secrets in files" in found[0][1] and "pass" not in found[0][1].replace("password;", "")


def test_an_at_sign_in_the_path_of_an_address_is_fine() -> None:
    assert Settings(runbook_url="http://wiki.example:80/@team/pages/").runbook_url == "http://wiki.example:80/@team/pages"


WRONG_MAPPING = """\
database:
  relations:
    users:
      table: users
      columns:
        role: a; b
        status: null
    chunks: {query: nothing}
exporter: {max_age: 15m}
"""


def test_a_mapping_that_cannot_be_right_is_refused_in_its_place(tmp_path: Path) -> None:
    at = "database.relations"
    assert [(place, message.split(";")[0]) for place, message, _ in findings(tmp_path, WRONG_MAPPING)] == [
        (f"4:7: {at}.users.table", "'users' is no name of a table"),
        (f"6:9: {at}.users.columns.role", "'a"),
        (f"7:9: {at}.users.columns.status", "null, but every row needs one"),
        (f"8:14: {at}.chunks.query", "not a query"),
    ]


@pytest.mark.parametrize("command", [["build", "--out", "built"], ["check"], ["exporter"], ["db", "map", "--check"]])
def test_every_command_refuses_it_before_it_does_anything(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.yaml").write_text(WRONG_MAPPING)
    done = subprocess.run(
        [sys.executable, "-m", "provisioning.cli", *command, "--config", "site.yaml"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    said = done.stdout + done.stderr
    assert "site.yaml:7:9: database.relations.users.columns.status: null, but every row needs one" in said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["site.yaml"]


def test_a_date_is_text_and_not_a_crash(tmp_path: Path) -> None:
    assert findings(tmp_path, "budgets: [{scope: 2026-13-45}]\n")[0][1].startswith("budget scope '2026-13-45'")


@pytest.mark.parametrize(("name", "message"), [("absent.yaml", "there is no such file"), (".", "this is a folder")])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.load(tmp_path / name)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="no regular file"):
        config.load(tmp_path / "pipe")


def test_a_file_of_comments_is_told_what_would_be_right(tmp_path: Path) -> None:
    remedy = findings(tmp_path, "# only words\n")[0][2]
    (tmp_path / "right.yaml").write_text(remedy.partition("such as: ")[2])
    assert config.load(tmp_path / "right.yaml") == Settings()


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    file = tmp_path / "site" / "observatory.yaml"
    file.write_text("sources: {postgres: {dsn_file: secrets/dsn, password_file: /run/secrets/password}}\n")
    postgres = config.load(file).sources.postgres
    assert postgres.dsn_file == str(tmp_path / "site" / "secrets" / "dsn")
    assert postgres.password_file == "/run/secrets/password"
    monkeypatch.chdir(tmp_path)
    near = config.load(Path("site/observatory.yaml"))
    assert near.sources.postgres.dsn_file == "site/secrets/dsn"
    assert config.anchored(near, tmp_path).sources.postgres.dsn_file == str(tmp_path / "site" / "secrets" / "dsn")


def test_the_environment_names_slacks_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL_FILE", "/run/slack")
    changed = config.with_environment(Settings())
    assert changed.notifications.slack.webhook_url_file == "/run/slack"
    assert changed.notifications.smtp == Settings().notifications.smtp
