"""Every figure of every tab that comes from PostgreSQL or Langfuse is held against their rows; none is forgotten.

Here it is only seen to that there is a check for each, and that each check is sharp; the checks themselves run against a living
stack.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import promql_parser as promql
import pytest

from alert_rules.catalogue import active
from contract.catalogue import series_catalogue
from contract.metrics import Source
from contract.settings import Settings
from dashboards.catalogue import TABS
from dashboards.lib.filters import acting
from dashboards.lib.judged import watched
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, Query, SqlQuery
from dashboards.lib.tab import Tab
from recording_rules import registry
from tests.dashboards.promql import Selector, plain_promql, selectors
from tests.integration.tabs import FAULTS, FIGURES, Fault

SETTINGS = Settings()
OF_ROWS = (Source.POSTGRES, Source.LANGFUSE)
"""What the exporter says of itself is its own figure, and held against its own work in its tests."""
FEWEST_FAULTS = 3

every_tab = pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.key)


@cache
def panels() -> dict[str, Panel]:
    return {f"{tab.key}/{panel.name}": panel for tab in TABS for panel in tab.panels(SETTINGS)}


@cache
def recorded() -> dict[str, list[tuple[dict[str, str], str]]]:
    """By the name of a recorded series the labels that each of its rules adds, and what the rule asks."""
    found: dict[str, list[tuple[dict[str, str], str]]] = {}
    for rule in (rule for group in registry.groups(SETTINGS) for rule in group.rules):
        found.setdefault(rule.record, []).append((registry.added(rule), registry.rule_expression(rule)))
    return found


def scraped(text: str, given: tuple[Selector, ...] = ()) -> Iterator[str]:
    """The scraped series that a question reads, through recorded ones however far down.

    A rule that gives its series a label is read only by selectors that allow it: a panel on one service level does not read
    all others.
    """
    for found in map(Selector.of, selectors(promql.parse(plain_promql(text)))):
        asked = (*given, found)
        if found.name not in recorded():
            yield found.name
        for labels, expression in recorded().get(found.name, ()):
            if all(one.allows(labels) for one in asked):
                yield from scraped(expression, asked)


def without_questions_of_alerts(tab: Tab, text: str) -> str:
    """A question of the tab on alerts without the parts that are an alert's own, word by word: those are proved on given
    series by promtool, in scenarios that every alert has.
    """
    with acting(tab.filters, tab.single):
        own = {watched(alert, SETTINGS) for alert in active(SETTINGS)}
    for question in sorted(own, key=len, reverse=True):
        text = text.replace(question, "vector(0)")
    return text


def reads_rows(tab: Tab, query: Query) -> bool:
    """Whether a figure comes from PostgreSQL or Langfuse, directly or through the exporter."""
    if isinstance(query, SqlQuery):
        return "analytics." in query.sql
    text = without_questions_of_alerts(tab, query.expr) if tab.key == "alerts" else query.expr
    return any(series_catalogue()[name].source in OF_ROWS for name in scraped(text) if name in series_catalogue())


def of_rows(tab: Tab) -> set[str]:
    """Panels of a tab with at least one such figure."""
    return {f"{tab.key}/{panel.name}" for panel in tab.panels(SETTINGS) if any(reads_rows(tab, q) for q in panel.targets)}


@every_tab
def test_every_figure_of_rows_is_held_against_them(tab: Tab) -> None:
    assert of_rows(tab) - FIGURES.keys() == set()


def test_every_check_is_of_a_panel() -> None:
    assert FIGURES.keys() - panels().keys() == set()
    assert {fault.panel for fault in FAULTS} - FIGURES.keys() == set()


@every_tab
def test_every_tab_with_figures_has_faults_that_must_be_noticed(tab: Tab) -> None:
    faults = Counter(fault.panel.partition("/")[0] for fault in FAULTS)
    assert faults[tab.key] >= FEWEST_FAULTS or not of_rows(tab)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.panel}: {fault.right}")
def test_a_fault_is_a_question_that_can_be_asked(fault: Fault) -> None:
    """One that Prometheus would refuse proves nothing of the check."""
    queries = [query for query in panels()[fault.panel].targets if fault.right in query.text]
    assert queries, f"{fault.panel} does not ask for {fault.right}"
    for query in queries:
        if isinstance(query, PromQuery):
            promql.parse(plain_promql(query.expr.replace(fault.right, fault.wrong)))


def test_the_rule_on_alerts_leaves_out_nothing_else() -> None:
    tab = next(tab for tab in TABS if tab.key == "alerts")
    sound = f"topk(8, {_question(tab)})"
    assert re.fullmatch(r"topk\(8, vector\(0\)\)", without_questions_of_alerts(tab, sound))
    assert reads_rows(tab, PromQuery(expr=f"{sound} * on () platform_users"))


def _question(tab: Tab) -> str:
    with acting(tab.filters, tab.single):
        return next(watched(alert, SETTINGS) for alert in active(SETTINGS) if alert.name == "TicketsOverdue")


def test_how_many_are_held_against_rows(capsys: pytest.CaptureFixture[str]) -> None:
    counted = {tab.key: (len(of_rows(tab)), len(FIGURES.keys() & set(tab.panel_keys(SETTINGS)))) for tab in TABS}
    needed, checked = map(sum, zip(*counted.values(), strict=True))
    with capsys.disabled():
        print(f"\n{checked} panels are held against rows, {needed} of them because their figures come from there; by tab:")
        print(", ".join(f"{key} {have}" for key, (_, have) in counted.items() if have))
    assert checked > 200
