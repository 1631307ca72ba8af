"""Every panel type of the vocabulary, held against Grafana's own models; and what the pass over grafanalib's JSON promises."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY
from contract.signals.model import Level, equal
from dashboards.lib.distributions import Heatmap, Histogram, XYChart
from dashboards.lib.field import Link, Thresholds, at_least, at_most, lines, named, narrowing_link, tab_link
from dashboards.lib.figures import FALL_IS_GOOD, BarGauge, Gauge, Stat
from dashboards.lib.graphs import TimeSeries, Trend
from dashboards.lib.layout import Row, line, places, row
from dashboards.lib.lists import AlertList, DashList
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, quantiles, series, top
from dashboards.lib.shares import BarChart, PieChart
from dashboards.lib.states import StateTimeline, StatusHistory
from dashboards.lib.tab import DashboardError, Source, Tab
from dashboards.lib.tables import MERGED, Table, columns
from dashboards.lib.texts import Logs, Text
from dashboards.lib.traces import FlameGraph, NodeGraph, Traces

Json = dict[str, Any]

UP = PromQuery(expr="up")
SPANS = SqlQuery(sql="SELECT trace_id FROM app.trace_spans LIMIT 1")
WORDS: Json = {"description": "A sample."}

SAMPLES: tuple[Panel, ...] = (
    TimeSeries(
        name="timeseries", title="T", bridged=60000, targets=(UP, SPANS), unit="s", minimum=0, limits=at_most(1, 2),
        drawn="line+area",
        calculations=("mean",), links=(Link("Docs", "https://example.com"),), data_links=(tab_link("Overview", "overview"),),
        overrides=(named("up", unit="short", custom_lineWidth=3),), always_last="24h", **WORDS,
    ),
    TimeSeries(name="bar", title="T", targets=(UP,), unit="s", style="bars", stacked=True, logarithmic=True, **WORDS),
    Trend(name="trend", title="T", targets=(UP,), unit="s", x="rank", **WORDS),
    Stat(name="stat", title="T", targets=(UP,), unit="s", sparkline=True, change=FALL_IS_GOOD, limits=at_least(0.9), **WORDS),
    Stat(name="tile", title="T", targets=(UP,), unit="s", filled=True, every_row=True, repeat_by="agent", **WORDS),
    Gauge(name="gauge", title="T", targets=(UP,), unit="percentunit", minimum=0, maximum=1, threshold_labels=True, **WORDS),
    BarGauge(name="bargauge", title="T", targets=(UP,), unit="s", **WORDS),
    BarChart(name="barchart", title="T", targets=(SPANS,), unit="s", x="agent", stacking="percent", **WORDS),
    PieChart(name="piechart", title="T", targets=(UP,), unit="short", **WORDS),
    Heatmap(name="heatmap", title="T", targets=(PromQuery(expr="up", format="heatmap"),), unit="short", **WORDS),
    Heatmap(name="calculated", title="T", targets=(UP,), unit="short", buckets=False, **WORDS),
    Histogram(name="histogram", title="T", targets=(UP,), unit="s", combined=True, **WORDS),
    XYChart(name="xychart", title="T", targets=(SPANS,), unit="s", x="a", y="b", **WORDS),
    StateTimeline(name="state_timeline", title="T", targets=(UP,), **WORDS),
    StatusHistory(name="status_history", title="T", targets=(UP,), **WORDS),
    Table(
        name="table", title="T", targets=(UP,), transformations=(MERGED, *columns({"a": "A", "b": "b"})), sorted_by="A",
        paged=True, **WORDS,
    ),
    Text(name="text", title="", content="# Hello", **WORDS),
    Logs(name="logs", title="T", targets=(SPANS,), **WORDS),
    FlameGraph(name="flamegraph", title="T", targets=(SPANS,), unit="ms", **WORDS),
    Traces(name="traces", title="T", targets=(SPANS,), **WORDS),
    NodeGraph(name="node_graph", title="T", targets=(SPANS, SPANS), unit="short", **WORDS),
    AlertList(name="alertlist", title="T", label_filter='{team="agents"}', **WORDS),
    DashList(name="dashlist", title="T", tags=("observatory",), **WORDS),
)  # fmt: skip

WANTED = {
    "timeseries", "trend", "stat", "gauge", "bargauge", "barchart", "piechart", "heatmap", "histogram", "xychart",
    "state-timeline", "status-history", "table", "text", "logs", "flamegraph", "traces", "nodeGraph", "alertlist", "dashlist",
}  # fmt: skip
DEAD = {"editable", "error", "height", "span", "minSpan", "hideTimeOverride"}
DEAD_IN_QUERIES = {"metric", "query", "step", "target", "alias", "intervalFactor"}


def tab(*rows: Row) -> Tab:
    return Tab(
        key="sample",
        title="Sample",
        folder="Business",
        description="A sample.",
        owner="nobody",
        sources=(Source("Prometheus", "now"),),
        rows=lambda _: rows,
    )


def built(panel: Panel) -> Json:
    found: Json = tab(row("all", "All", line(7, panel))).dashboard(Settings())["panels"][-1]
    return found


def test_the_vocabulary_has_every_type_the_product_needs() -> None:
    assert {panel.kind for panel in SAMPLES} == WANTED


@pytest.mark.parametrize("panel", SAMPLES, ids=lambda panel: panel.name)
def test_grafana_knows_every_option(panel: Panel, unknown: Callable[[Json], set[str]]) -> None:
    assert unknown(built(panel)) == set()


def test_the_oracle_sees_a_misspelt_option(unknown: Callable[[Json], set[str]]) -> None:
    panel = built(SAMPLES[0])
    panel["options"]["tooltipp"] = {"mode": "multi"}
    panel["fieldConfig"]["defaults"]["custom"]["lineWith"] = 2
    assert unknown(panel) == {".options.tooltipp.mode", ".fieldConfig.defaults.custom.lineWith"}


@pytest.mark.parametrize("panel", SAMPLES, ids=lambda panel: panel.name)
def test_nothing_of_the_past_is_written(panel: Panel) -> None:
    data = built(panel)
    assert not DEAD & data.keys()
    assert not any(DEAD_IN_QUERIES & target.keys() for target in data.get("targets", []))
    assert "null" not in json.dumps(data).replace('"value": null', "")  # the base of thresholds is null on purpose


def test_queries_are_numbered_and_name_their_source() -> None:
    mixed, single = built(SAMPLES[0]), built(SAMPLES[1])
    assert [target["refId"] for target in mixed["targets"]] == ["A", "B"]
    assert mixed["datasource"]["uid"] == "-- Mixed --"
    assert single["datasource"] == {"type": "prometheus", "uid": "${prometheus}"}


def test_a_collapsed_row_holds_its_panels() -> None:
    rows = tab(row("folded", "Folded", line(5, SAMPLES[0]), collapsed=True), row("open", "Open", line(3, SAMPLES[3])))
    *legend, folded, open_, last = rows.dashboard(Settings())["panels"]
    assert [(panel["type"], panel["gridPos"]["y"]) for panel in legend] == [("text", 0), ("stat", 0)]
    assert [panel["title"] for panel in folded["panels"]] == ["T"]
    assert (folded["gridPos"]["y"], open_["gridPos"]["y"], last["gridPos"]["y"]) == (3, 4, 5)


def test_lines_fill_the_width() -> None:
    wide = Text(name="wide", title="", content="x", width=10, **WORDS)
    others = [Text(name=f"t{number}", title="", content="x", **WORDS) for number in range(3)]
    assert [place.width for place in places(row("r", "R", line(4, wide, *others)), 0)] == [10, 5, 5, 4]
    with pytest.raises(DashboardError, match=r"sample/row/r: the line of wide takes 10 of 24 columns"):
        tab(row("r", "R", line(4, wide))).dashboard(Settings())


def test_legends_end_between_rows() -> None:
    """Grafana gives them 35 % of the panel: at 9 units 100 px, four rows of 24; at 8 units 87 px, three and a half."""
    graph = TimeSeries(name="g", title="T", targets=(UP,), unit="s", calculations=("max",), **WORDS)
    assert [height for height in range(5, 13) if graph.cuts_its_legend(height)] == [6, 8]
    for shown_whole in (evolve(graph, calculations=()), evolve(graph, legend_placement="right")):
        assert not any(shown_whole.cuts_its_legend(height) for height in range(5, 13))
    with pytest.raises(DashboardError, match=r"sample/g: its legend .* height of 8; take 7 or 9"):
        tab(row("r", "R", line(8, graph))).dashboard(Settings())


def test_an_axis_has_the_decimals_that_its_steps_need() -> None:
    """With one, Grafana writes 0.3, 0.5 and 0.8 beside steps of 0.25; with none it has no steps between 0 % and 100 %."""
    graph = TimeSeries(name="g", title="T", targets=(UP,), unit="short", **WORDS)
    trend = Trend(name="g", title="T", targets=(SPANS,), unit="currencyUSD", x="day", **WORDS)
    days = (named("day", unit="none", min=1),)
    for right in (graph, evolve(graph, decimals=0), evolve(graph, unit="percentunit"), evolve(trend, overrides=days)):
        assert built(right)["type"] in ("timeseries", "trend")
    for wrong in (
        evolve(graph, decimals=1),
        evolve(graph, unit="percentunit", decimals=0),
        evolve(graph, unit="currencyUSD", decimals=2),
        evolve(graph, overrides=(named("cost", decimals=2),)),
        evolve(trend, overrides=(named("day", decimals=0),)),
    ):
        with pytest.raises(DashboardError, match="sample/g: its axis would round its own steps"):
            built(wrong)


def test_bars_begin_at_zero() -> None:
    """Or Grafana begins at the least of them, which has no length then."""
    assert built(BarGauge(name="b", title="T", targets=(UP,), unit="short", **WORDS))["fieldConfig"]["defaults"]["min"] == 0


def test_every_fault_is_named_at_once() -> None:
    bad = Stat(name="bad", title="", description="", targets=())
    same = Stat(name="same", title="T", targets=(UP,), unit="s", **WORDS)
    with pytest.raises(DashboardError) as caught:
        tab(row("r", "R", line(4, bad, same, same))).dashboard(Settings())
    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        "sample/same: this key is used twice",
        "sample/bad: no title",
        "sample/bad: no description",
        "sample/bad: no query",
        "sample/bad: no unit",
    ]


def test_two_keys_with_one_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboards.lib.tab.panel_id", lambda key: len(key))
    one, two = (Text(name=name, title="", content="x", **WORDS) for name in ("one", "two"))
    with pytest.raises(DashboardError, match="sample/two: has the same panel id as sample/one; rename one of them"):
        tab(row("r", "R", line(4, one, two))).dashboard(Settings())


def test_a_signal_is_filtered_by_what_its_metrics_know() -> None:
    error = series(AGENT_ERROR_RATIO, ("agent",), window="7m").expr
    assert 'agent=~"$agent",environment=~"$environment"' in error
    tickets = Level("t", "T", "t", "short", "platform_tickets")
    assert series(tickets, ("status",)).expr == "sum by (status) (max without (instance) (platform_tickets))"


def test_legends_come_from_the_grouping() -> None:
    assert series(AGENT_ERROR_RATIO, ("environment", "agent")).legend == "{{environment}} · {{agent}}"
    assert series(AGENT_ERROR_RATIO).legend == AGENT_ERROR_RATIO.title
    assert quantiles(AGENT_LATENCY, (0.5, 0.99)).expr.count('"figure", "p99", "", ""') == 1


def test_what_is_recorded_is_asked_no_more_often_than_it_is_recorded() -> None:
    by = ("environment", "agent")
    hourly, quick = series(AGENT_LATENCY, by, window="1h"), series(AGENT_ERROR_RATIO, by, window="5m")
    scraped, mixed = series(AGENT_ERROR_RATIO, by, window="7m"), PromQuery(expr=f"{hourly.expr} + {quick.expr}")
    found = [query.to_json_data()["interval"] for query in (hourly, quick, mixed, scraped)]
    assert found == ["2m", "15s", "15s", None]
    assert series(AGENT_LATENCY, by, window="1h", step="5m").to_json_data()["interval"] == "5m"
    assert series(AGENT_LATENCY, by, window="1h", instant=True).to_json_data()["interval"] is None


def test_a_course_that_goes_up_to_now_ends_with_the_figure_of_now() -> None:
    stat = Stat(name="s", title="T", targets=(series(AGENT_ERROR_RATIO, step="1h"),), unit="s", up_to_now=True, **WORDS)
    course, now = stat.targets
    assert (course.text, [query.to_json_data()["instant"] for query in stat.targets]) == (now.text, [False, True])
    assert stat.transformations == (MERGED,)


def test_words_have_room_unless_a_table_says_otherwise() -> None:
    said = named("Environment", custom_width=90)
    table = Table(name="t", title="T", targets=(SPANS,), overrides=(said,), **WORDS)
    assert [override.options for override in table.all_overrides()].count("Environment") == 1
    plain = Table(name="t", title="T", targets=(SPANS,), **WORDS)
    assert {"Environment", "Kind of error"} <= {override.options for override in plain.all_overrides()}


def test_the_rest_is_what_is_not_on_top() -> None:
    calls = Level("c", "C", "c", "short", "langfuse_window_calls", (equal("window", "24h"),))
    where = 'environment=~"$environment",{}window="24h"'
    named = where.format('model!="other",')
    greatest = f"topk(2, sum by (model) (max without (instance) (langfuse_window_calls{{{named}}})))"
    everything = f"sum(max without (instance) (langfuse_window_calls{{{where.format('')}}}))"
    assert top(calls, "model", 2).expr == (
        f'{greatest}\nor label_replace({everything} - (sum({greatest}) or vector(0)) > 0, "model", "other", "", "")'
    )


def test_thresholds_ascend() -> None:
    with pytest.raises(ValueError, match="ascend"):
        Thresholds("red", ((2, "green"), (1, "blue")))
    assert lines((2, "b"), (1, "a"), (2, "c")).steps == ((1, "a"), (2, "c"))
    assert [value for value, _ in at_most(0.3, 0.2).steps] == [0.2]


def test_a_narrowing_link_names_the_variable_once() -> None:
    link = narrowing_link("One", "overview", "agent", "${__field.labels.agent}", ("environment",))
    assert link.url == (
        "/d/observatory-overview?${__url_time_range}&var-agent=${__field.labels.agent}&${environment:queryparam}"
    )
    assert "${__all_variables}" in tab_link("Overview", "overview").url


def test_a_table_of_several_queries_shows_the_first_though_the_others_are_silent() -> None:
    """Grafana numbers values only where more than one query answers."""
    kept, arranged = columns({"agent": "Agent", "Value #A": "Now", "Value #B": "Then"})
    assert kept["options"]["include"]["names"] == ["agent", "Value #A", "Value #B", "Value"]
    assert arranged["options"]["renameByName"] == {"agent": "Agent", "Value #A": "Now", "Value #B": "Then", "Value": "Now"}
    assert "Value" not in columns({"agent": "Agent", "cost": "Cost"})[1]["options"]["renameByName"]


@pytest.mark.parametrize(("limit", "unit", "shown"), [(90, "s", 90), (900, "m", 15), (7200, "h", 2), (604800, "suffix:d", 7)])
def test_a_duration_is_drawn_in_the_unit_of_its_limit(limit: float, unit: str, shown: float) -> None:
    """Or the axis would have steps of 3.33 minutes."""
    graph = TimeSeries(
        name="age", title="Age", targets=(UP,), unit="s", limits=lines((limit, "red")), soft_maximum=1.2 * limit, **WORDS
    )
    drawn = built(graph)
    defaults = drawn["fieldConfig"]["defaults"]
    assert (defaults["unit"], defaults["thresholds"]["steps"][1]["value"]) == (unit, shown)
    assert defaults["custom"]["axisSoftMax"] == pytest.approx(1.2 * shown)
    assert drawn["targets"][0]["expr"] == ("up" if unit == "s" else f"(up) / {limit / shown:.0f}")


def test_seconds_of_a_database_stay_seconds() -> None:
    graph = TimeSeries(name="age", title="Age", targets=(UP, SPANS), unit="s", limits=lines((900, "red")), **WORDS)
    assert (graph.unit, graph.limits.steps[0][0], graph.targets) == ("s", 900, (UP, SPANS))


def test_words_stand_in_the_place_of_values_that_only_programs_write() -> None:
    asked = PromQuery(expr="up", legend="{{kind}} · {{table}}")
    late = named("first_response · tool_calls", max=1)
    graph = TimeSeries(name="overdue", title="Overdue", targets=(asked,), unit="short", overrides=(late,), **WORDS)
    name = "first_response · tool_calls"
    for step in built(graph)["transformations"]:
        assert step["id"] == "renameByRegex"
        name = re.sub(step["options"]["regex"].strip("/"), step["options"]["renamePattern"], name)
    assert name == "first response · tool_calls"
    assert built(graph)["fieldConfig"]["overrides"][-1]["matcher"]["options"] == name
    shown = columns({"kind": "Kind", "table": "Of"})
    table = Table(name="kinds", title="Kinds", targets=(SPANS,), transformations=shown, **WORDS)
    mapped = [override for override in table.all_overrides() if dict(override.properties).keys() == {"mappings"}]
    assert [override.options for override in mapped] == ["Kind"]
    [mapping] = dict(mapped[0].properties)["mappings"]
    assert mapping["options"]["rate_limit"]["text"] == "rate limit"
