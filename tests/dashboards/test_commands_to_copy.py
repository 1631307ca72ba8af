"""A command that a table gives to copy does what it says, whatever the names in it are."""

from __future__ import annotations

import importlib
import shlex

import click
import psycopg
import pytest

from contract.settings import Settings
from dashboards.lib.commands import command
from dashboards.lib.panel import Panel
from dashboards.lib.profiles import profiled
from dashboards.observatory import wishes
from dashboards.one_agent import versions
from dashboards.performance import load_tests
from provisioning.actions import ACTIONS


@pytest.mark.parametrize("name", ["billing", "it's", "a b; rm -rf /", '$(date) `date` "x"', "–\\'–"])
def test_names_are_quoted_for_a_shell(database: str, name: str) -> None:
    text = command("observatory profile stop {agent} --environment {environment} --yes", agent="%s::text", environment="'e'")
    with psycopg.connect(database) as connection:
        [row] = connection.execute(f"SELECT {text}".encode(), (name,)).fetchall()
    assert shlex.split(row[0]) == ["observatory", "profile", "stop", name, "--environment", "e", "--yes"]


@pytest.mark.parametrize(
    ("panel", "words"),
    [
        (profiled("Profiles"), ["profile stop", "profile start"]),
        (wishes.settings(), ["configure unset", "cache reset"]),
        (load_tests.tests(Settings()), ["loadtest cancel", "loadtest schedule"]),
        (versions.regressions(), ["regression dismiss", "regression flag"]),
    ],
    ids=lambda value: value.name if isinstance(value, Panel) else "",
)
def test_the_command_stands_where_something_can_be_done(panel: Panel, words: list[str]) -> None:
    [query] = panel.targets
    for text in words:
        group, verb = text.split()
        assert f"observatory {text}" in query.text and verb in commands_of(group)


def commands_of(group: str) -> dict[str, click.Command]:
    """What a group of actions offers."""
    found: click.Group = getattr(importlib.import_module(ACTIONS[group][0]), group)
    return found.commands
