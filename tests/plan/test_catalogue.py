"""Which targets a configuration has, and what is said when it has none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from contract.settings import Settings
from provisioning.findings import InputError
from provisioning.targets import catalogue


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OBSERVATORY_GRAFANA_TOKEN", raising=False)


def names(settings: Settings, only: Sequence[str] = ()) -> list[str]:
    return [target.name for target in catalogue.targets(settings, only)]


def site(folder: Path, *served: str, **more: Any) -> Settings:
    return Settings.model_validate({"targets": {name: {"folder": str(folder)} for name in served}, **more})


def test_routes_are_applied_before_alerts_and_alerts_before_dashboards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVATORY_GRAFANA_TOKEN", "glsa_test")
    found = names(site(tmp_path, "prometheus", "alertmanager", "kubernetes"))
    assert found == ["alertmanager", "prometheus", "kubernetes", "grafana"]


def test_a_token_file_brings_grafana_in(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("glsa_test")
    settings = Settings.model_validate({"sources": {"grafana": {"token_file": str(tmp_path / "token")}}})
    assert names(settings) == ["grafana"]


def test_only_what_is_named_is_looked_at(tmp_path: Path) -> None:
    assert names(site(tmp_path, "prometheus", "alertmanager"), ["prometheus"]) == ["prometheus"]


def test_a_site_without_targets_is_told_how_to_have_some() -> None:
    with pytest.raises(
        InputError, match=r"names no place to apply to; give targets\.alertmanager\.folder; or .*OBSERVATORY_GRAFANA"
    ):
        catalogue.targets(Settings())


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ("grafna", "no such target; did you mean grafana"),
        ("mimir", "the configuration does not go there; give targets.mimir.url"),
    ],
)
def test_a_target_that_is_not_in_use_cannot_be_chosen(tmp_path: Path, only: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        catalogue.targets(site(tmp_path, "prometheus"), [only])
