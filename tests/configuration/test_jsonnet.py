"""A configuration in Jsonnet: what it can do, what it cannot reach, and that it always ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning import config
from provisioning.configuration import effective, jsonnet
from provisioning.configuration.jsonnet import Bounds
from provisioning.findings import ConfigError

SOON = Bounds(seconds=1, memory=1 << 29, result=10_000)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "overlays").mkdir()
    return tmp_path


def refused(text: str, bounds: Bounds = SOON) -> str:
    with pytest.raises(ConfigError) as raised:
        jsonnet.evaluate("observatory.jsonnet", text, within=[Path()], bounds=bounds)
    return str(raised.value)


def test_jsonnet_stands_for_yaml_or_builds_on_it(site: Path) -> None:
    (site / "limits.libsonnet").write_text("{ error_ratio: 0.05 }")
    (site / "observatory.jsonnet").write_text("{ thresholds: (import 'limits.libsonnet') + { error_ratio+: 0.01 } }")
    assert round(config.chosen(None).thresholds.error_ratio, 6) == 0.06
    (site / "observatory.yaml").write_text("thresholds: {success_ratio: 0.8, error_ratio: 0.1}\n")
    with pytest.raises(ConfigError, match=r"observatory.yaml stands beside it(?s:.*)std.parseYaml"):
        config.chosen(None)
    (site / "overlays" / "more.jsonnet").write_text(
        "local base = std.parseYaml(importstr '../observatory.yaml');\n"
        "{ thresholds: { error_ratio: base.thresholds.error_ratio + 0.05 } }"
    )
    laid = config.load(Path("observatory.yaml"), ["more"])
    assert (laid.thresholds.success_ratio, round(laid.thresholds.error_ratio, 6)) == (0.8, 0.15)


def test_a_wrong_value_is_shown_with_the_line_that_spells_its_key(site: Path) -> None:
    (site / "observatory.jsonnet").write_text(
        "local limit = 7;\n{\n  thresholds: {\n    error_ratio: limit, // error_ratio: 0.05 was better\n  },\n"
        "  exporter+: { max_agee: '1m' },\n}\n"
    )
    with pytest.raises(ConfigError) as raised:
        config.load(Path("observatory.jsonnet"))
    assert [finding.place for finding in raised.value.findings] == [
        "observatory.jsonnet:4:5: thresholds.error_ratio",
        "observatory.jsonnet:6:16: exporter.max_agee",
    ]
    assert effective.layers.read(Path("observatory.jsonnet"), ()).set_in(("thresholds", "error_ratio")) == [
        "observatory.jsonnet:4:5"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{a: 1,\n b: }", 'observatory.jsonnet:2:5: unexpected: "}"'),
        ("{\n a: error 'no such site'}", "observatory.jsonnet:2:5: no such site"),
        ("{\n a: std.parseInt('x')}", "observatory.jsonnet:2:5: x is not a base 10 integer"),
        ("{a: x}", "observatory.jsonnet:1:5: Unknown variable: x"),
        ("{a: 1, a: 2}", "observatory.jsonnet:1:8: duplicate field: a"),
        ("std.extVar('x')", "what differs between environments stands in overlays"),
        ("function(x) x", "give a value at the top"),
        ("{f: function(x) x}", "a function has no place in the result"),
        ("local f(x) = 1 + f(x); f(1)", "something here needs itself, and never ends"),
        ("local f(x) = f(x + 1) tailstrict; f(1)", "observatory.jsonnet: it is not evaluated within 1 s"),
        ("std.repeat('aaaaaaaaaa', 1000000000)", "observatory.jsonnet: it needs more than 512 MiB of memory"),
        ("std.range(1, 10000)", "the result has more than 10000 bytes"),
    ],
)
def test_what_is_wrong_with_jsonnet_is_said_with_its_line_and_ends(site: Path, text: str, said: str) -> None:
    assert said in refused(text)


@pytest.mark.parametrize("what", ["../secret", "{parent}/secret", "inside/link", "http://example.com/x", "pipe", "absent"])
def test_imports_stay_below_the_folder(site: Path, what: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    (site / "inside").mkdir()
    outside = tmp_path_factory.mktemp("outside") / "secret"
    outside.write_text("canary-7f3a")
    (site / "inside" / "link").symlink_to(outside)
    text = refused(f"importstr '{what.format(parent=outside.parent)}'")
    assert "couldn't open import" in text and "canary-7f3a" not in text


def test_it_knows_nothing_of_the_environment(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "canary-7f3a")
    assert "canary" not in refused("importstr '/proc/self/environ'")


def test_what_a_secret_file_holds_does_not_become_configuration(site: Path) -> None:
    (site / "secrets").mkdir()
    (site / "secrets" / "dsn").write_text("canary-7f3a")
    (site / "observatory.jsonnet").write_text(
        "{ sources: { postgres: { dsn_file: 'secrets/dsn', user: importstr 'secrets/dsn' } } }"
    )
    with pytest.raises(ConfigError, match="holds a secret") as raised:
        config.load(Path("observatory.jsonnet"))
    assert "canary-7f3a" not in str(raised.value)
