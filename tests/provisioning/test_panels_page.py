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
WRITTEN = Path(__file__).parents[2] / "docs" / "panels.md"


def test_the_page_is_current() -> None:
    assert WRITTEN.read_text() == page(Settings()), "the tabs have changed: run `make docs`"


def test_every_tab_and_every_cell_is_there() -> None:
    lines = page(Settings()).splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == [tab.title for tab in TABS]
    first = lines.index(f"## {TABS[0].title}")
    rows = [line for line in lines[first:] if line.startswith("| ") and not line.startswith("| panel")]
    assert rows and all(line.replace("\\|", "").count("|") == 6 for line in rows)


@pytest.mark.parametrize("text", TEXTS)
def test_a_figure_is_of_who_measured_it(text: str) -> None:
    assert Origins(Settings()).of([text]) == TEXTS[text]
