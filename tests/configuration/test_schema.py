"""The shape for editors says what the configuration really takes, in the words of its comments."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from contract.settings import Settings
from provisioning.configuration import schema
from provisioning.configuration.effective import leaves, plain
from provisioning.configuration.notes import read
from provisioning.text import as_json

ROOT = Path(__file__).parents[2]
SHAPE = schema.schema()


def accepts(text: str) -> bool:
    return bool(jsonschema.Draft7Validator(SHAPE).is_valid(yaml.safe_load(text)))


def test_the_committed_copy_is_current() -> None:
    assert (ROOT / "observatory.schema.json").read_bytes() == as_json(SHAPE), "the settings have changed: run `make docs`"
    assert (ROOT / "observatory.yaml").read_text().startswith("# yaml-language-server: $schema=observatory.schema.json\n")


@pytest.mark.parametrize("file", ["observatory.yaml", "docker/observatory.yaml"])
def test_it_takes_what_is_right(file: str) -> None:
    jsonschema.Draft7Validator.check_schema(SHAPE)
    assert accepts((ROOT / file).read_text())


@pytest.mark.parametrize(
    "text",
    [
        "thresholds: {error_rati: 0.1}",
        "thresholds: {error_ratio: 7}",
        "exporter: {max_age: soon}",
        "sources: {prometheus: {url: 127.0.0.1}}",
        "sources: {langfuse: {plan: gold}}",
        "teams: [{email: a@b}]",
        "slo: [{name: x, sli: errors, objective: '95', team: a, description: 'ten letters and more'}]",
        "database: {relations: {users: {tabel: x}}}",
    ],
)
def test_it_refuses_what_is_wrong(text: str) -> None:
    assert not accepts(text)


def test_every_key_says_something() -> None:
    silent = []
    for key in schema.all_keys():
        node, section = schema.at(schema.parsed(key)), schema.at(schema.parsed(key)[:-1]) or {}
        if not (node or {}).get("description") and not schema.section_words(section) and "description" not in section:
            silent.append(key)
    assert silent == []


def test_every_value_of_the_settings_has_a_shape() -> None:
    for place, _ in leaves(plain(Settings())):
        assert schema.at(place) is not None, place


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("thresholds.error_ratio", "a number above 0 and below 1"),
        ("thresholds.minimum_queries", "a whole number of at least 1 and at most 1000000000"),
        ("exporter.max_age", "a duration from 1s to 30d"),
        ("database.preset", "one of contract, supabase"),
        ("database.alter_tables", "true or false"),
        ("sources.grafana.url", "an address that begins with http:// or https://"),
        ("waivers.expires", "a day, such as 2027-01-31"),
        ("slo.objective", "a number above 0 and below 100, or null"),
        ("environments", "a list; each is a text that matches ^[a-z][a-z0-9_-]{0,39}$"),
        ("database.logins", "entries by name; each is a text"),
        ("sources", "a section with prometheus, postgres, langfuse, alertmanager, grafana"),
    ],
)
def test_what_a_key_may_be_is_said_in_words(key: str, kind: str) -> None:
    assert schema.kind(schema.at(schema.parsed(key)) or {}) == kind


def test_comments_belong_to_the_keys_that_they_stand_at() -> None:
    found = read(
        "# About all of it.\n"
        "top:\n"
        "  # The first ones.\n"
        "  #\n"
        "  # More of them.\n"
        '  one: "a # b"    # the # of one\n'
        "  two: []         # examples:\n"
        "  # - {name: x}\n"
        "\n"
        "  three: [1, 2]   # apart\n"
        "  # just four\n"
        "  four:\n"
        "    - {inner: 1}\n"
        "    - inner: 2    # of the second entry\n"
    )
    assert found["top",].group == "About all of it."
    assert found["top", "one"].own == "the # of one"
    assert found["top", "two"].group == "The first ones.\nMore of them."
    assert found["top", "two"].example == ("- {name: x}",)
    assert (found["top", "three"].own, found["top", "three"].group) == ("apart", "")
    assert found["top", "four"].group == "just four"
    assert found["top", "four", "inner"].own == ""


def test_what_an_editor_shows_is_what_the_comments_say() -> None:
    said = json.dumps(SHAPE["properties"]["thresholds"]["properties"]["error_ratio"], ensure_ascii=False)
    assert "queries that fail: warning" in said and "Queries to agents." in said
