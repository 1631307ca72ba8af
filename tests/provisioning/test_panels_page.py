"""The page of all panels is what the tabs say today."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.settings import Settings
from dashboards.catalogue import TABS
from provisioning.origins import LANGFUSE, POSTGRES, PROMETHEUS, Origins
from provisioning.panels_page import page

TEXTS = {
    "sum(rate(agent_queries_total[5m]))": {PROMETHEUS},
    "agent_status:queries:rate5m": {PROMETHEUS},
    'platform_cost_usd{window="mtd"}': {LANGFUSE},
    "agent:conversation_success:ratio_rate1h": {POSTGRES},
    "slo:sli_events:rate5m": {PROMETHEUS, POSTGRES},
    "SELECT n FROM analytics.latency_hourly": {POSTGRES},
    "SELECT n FROM analytics.trace_metrics_hourly": {POSTGRES, LANGFUSE},
    "SELECT n FROM analytics.llm_calls JOIN app.agents USING (agent)": {POSTGRES, LANGFUSE},
}
TABLES = {
    "sum(rate(agent_queries_total[5m]))": [],
    "agent:conversation_success:ratio_rate1h": ["app.agents", "app.conversations"],
    "platform_tickets_overdue": ["app.tickets"],
    "SELECT n FROM analytics.latency_hourly": ["app.agent_executions"],
    "SELECT n FROM analytics.agent_executions e JOIN app.agents a ON a.id = e.agent_id": ["app.agent_executions", "app.agents"],
    "SELECT n FROM analytics.model_usage_hourly": ["analytics.llm_calls"],
    "SELECT n FROM analytics.budgets": ["analytics.budgets"],
}
WRITTEN = Path(__file__).parents[2] / "docs" / "panels.md"


def test_the_page_is_current() -> None:
    assert WRITTEN.read_text() == page(Settings()), "the tabs have changed: run `make docs`"


def test_every_tab_and_every_cell_is_there() -> None:
    lines = page(Settings()).splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == [tab.title for tab in TABS]
    first = lines.index(f"## {TABS[0].title}")
    rows = [line for line in lines[first:] if line.startswith("| ") and not line.startswith("| panel")]
    assert rows and all(line.replace("\\|", "").count("|") == 7 for line in rows)


@pytest.mark.parametrize("text", TEXTS)
def test_a_figure_is_of_who_measured_it(text: str) -> None:
    assert Origins(Settings()).of([text]) == TEXTS[text]


@pytest.mark.parametrize("text", TABLES)
def test_a_figure_names_the_tables_behind_it(text: str) -> None:
    assert Origins(Settings()).tables([text]) == TABLES[text]
