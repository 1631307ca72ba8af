"""My usage: nobody has it by default; whoever has it has a dashboard and a data source of one login, and nothing else there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from contract.analytics import PERSONAL
from contract.personal import Person
from contract.settings import Settings
from dashboards import my_usage
from dashboards.lib.describe import read_series, read_tables
from provisioning.build import artefacts
from provisioning.check import Choices, all_findings

ANNA = Person(name="anna", login="my_anna", user_id="4711", organisation=2, password_file="/secrets/anna")
BEN = Person(name="ben-b", login="my_ben", user_id="4712", organisation=3, password_file="/secrets/ben", uid="bens")
SETTINGS = Settings(my_usage=(ANNA, BEN))
SOURCES = "grafana/provisioning/datasources/observatory.yml"
PROVIDERS = "grafana/provisioning/dashboards/observatory.yml"


@pytest.fixture(scope="module")
def built() -> dict[str, bytes]:
    return artefacts(SETTINGS)


def provisioned(files: dict[str, bytes], path: str, key: str) -> dict[str, dict[str, Any]]:
    """Data sources by login, or providers by folder of the build; those of persons only."""
    entries = yaml.safe_load(files[path])[key]
    return {entry.get("user") or entry["options"]["path"].split("../")[1]: entry for entry in entries if "orgId" in entry}


def test_by_default_nobody_has_it() -> None:
    files = artefacts(Settings())
    assert not [path for path in files if "Personal" in path or "my-usage" in path]
    assert provisioned(files, SOURCES, "datasources") == {} == provisioned(files, PROVIDERS, "providers")


def test_each_person_has_a_login_of_one_organisation(built: dict[str, bytes]) -> None:
    found = provisioned(built, SOURCES, "datasources")
    assert {login: (entry["orgId"], entry["uid"], entry["secureJsonData"]["password"]) for login, entry in found.items()} == {
        "my_anna": (2, "my-usage", "$__file{/secrets/anna}"),
        "my_ben": (3, "bens", "$__file{/secrets/ben}"),
    }


def test_each_person_has_a_dashboard_in_that_organisation_alone(built: dict[str, bytes]) -> None:
    found = provisioned(built, PROVIDERS, "providers")
    assert {folder: entry["orgId"] for folder, entry in found.items()} == {
        "dashboards/Personal/anna": 2,
        "dashboards/Personal/ben-b": 3,
    }
    for folder, person in (("anna", ANNA), ("ben-b", BEN)):
        paths = [path for path in built if path.startswith(f"grafana/dashboards/Personal/{folder}/")]
        assert [Path(path).stem for path in paths] == [f"observatory-my-usage-{folder}"]
        board = json.loads(built[paths[0]])
        variables = {variable["name"]: variable["current"]["value"] for variable in board["templating"]["list"]}
        assert variables == {"postgres": person.uid}
        assert board["annotations"]["list"] == []


def test_it_asks_the_own_views_and_nothing_else() -> None:
    texts = [query.text for panel in my_usage.tab(ANNA).panels(SETTINGS) for query in panel.targets]
    assert set(read_tables(texts)) == {readable.qualified for readable in PERSONAL.values()}
    assert read_series(texts) == []
    assert not any(text.count("analytics.") != text.count("analytics.my_") for text in texts)


def test_it_is_small_and_explains_itself() -> None:
    panels = [panel for panel in my_usage.tab(ANNA).panels(SETTINGS) if not panel.dataless]
    assert len(panels) == 10
    assert all(len(panel.description) > 40 and (panel.unit or panel.unitless) for panel in panels)


def test_check_finds_nothing_to_say_about_it(built: dict[str, bytes]) -> None:
    looked_at = all_findings(built, SETTINGS, Choices(scenarios="none"))
    said = [finding for finding in looked_at if "My usage" in f"{finding.place} {finding.message}"]
    assert said == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"login": "my_anna"}, "two persons have the login my_anna"),
        ({"user_id": "4711"}, "two persons have the user_id 4711"),
        ({"organisation": 2}, "two persons have the organisation 2"),
        ({"organisation": 1}, "greater than or equal to 2"),
        ({"login": "observatory_read"}, "begins as roles with other work do"),
        ({"login": 'x"; DROP'}, "match pattern"),
        ({"name": "../ben"}, "match pattern"),
    ],
)
def test_what_would_show_one_person_to_another_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(my_usage=(ANNA, Person.model_validate(BEN.model_dump() | change)))
