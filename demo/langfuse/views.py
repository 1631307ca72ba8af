"""What can be asked of the metrics interface: views, their dimensions and measures, as SQL over the store.

`e` is the row of the view itself; relations have aliases of their own. Version 1 reads observations and joins traces, version 2
reads events, which have the properties of their traces. A measure has two forms: `row` for one pass over the rows, and `entity`
for a first pass that groups by the row's id, which the real server does wherever a join may repeat rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from demo.langfuse.rows import USD

INTEGER, DECIMAL, NUMBER, STRING, STRINGS, BOOLEAN = "integer", "decimal", "number", "string", "string[]", "boolean"


@dataclass(frozen=True)
class Dimension:
    """Something to group and filter by. `expand` is a JSON map or list whose entries become rows, under the
    dimension's own name; `empty` is its value in rows that fill gaps."""

    sql: str
    kind: str = STRING
    relation: str = ""
    high_cardinality: bool = False
    expand: str = ""
    empty: object = None


@dataclass(frozen=True)
class Measure:
    """Something to aggregate. `nullable`: nothing to add up gives null, not 0. `requires` names a dimension it needs."""

    kind: str
    row: str = ""
    entity: str = ""
    relation: str = ""
    nullable: bool = False
    scale: int = 1
    requires: str = ""


@dataclass(frozen=True)
class Relation:
    """A table joined to the view; only its rows within the time window count."""

    table: str
    on: str


@dataclass(frozen=True)
class View:
    table: str
    time: str  # name of the time column in filters
    dimensions: Mapping[str, Dimension]
    measures: Mapping[str, Measure]
    relations: Mapping[str, Relation] = field(default_factory=dict)
    where: str = ""


def _single(kind: str, sql: str, nullable: bool = False, scale: int = 1) -> Measure:
    """A property of one row, equal on all its repetitions."""
    return Measure(kind, sql, f"min({sql})", nullable=nullable, scale=scale)


def _summed(kind: str, sql: str, nullable: bool = False, scale: int = 1) -> Measure:
    """An amount that repetitions of a row multiply."""
    return Measure(kind, sql, f"sum({sql})", nullable=nullable, scale=scale)


def _month(column: str) -> Dimension:
    return Dimension(f"strftime('%Y-%m', {column} / 1000000, 'unixepoch')", empty="")


_COUNT = Measure(INTEGER, "1", "count(*)")


def _milliseconds(start: str, end: str) -> Measure:
    return _single(INTEGER, f"({end} / 1000 - {start} / 1000)", nullable=True)


def _per_second(amount: str, start: str) -> Measure:
    return _single(DECIMAL, f"{amount} * 1.0 / nullif(e.ended / 1000000 - {start} / 1000000, 0)", nullable=True)


def _observation_measures(total_cost: str) -> dict[str, Measure]:
    return {
        "count": _COUNT,
        "latency": _milliseconds("e.started", "e.ended"),
        "streamingLatency": _milliseconds("e.first_token", "e.ended"),
        "timeToFirstToken": _milliseconds("e.started", "e.first_token"),
        "inputTokens": _single(INTEGER, "e.input_tokens"),
        "outputTokens": _single(INTEGER, "e.output_tokens"),
        "totalTokens": _summed(INTEGER, "e.total_tokens"),
        "outputTokensPerSecond": _per_second("e.output_tokens", "e.first_token"),
        "tokensPerSecond": _per_second("e.total_tokens", "e.started"),
        "inputCost": _single(DECIMAL, "e.input_cost", scale=USD),
        "outputCost": _single(DECIMAL, "e.output_cost", scale=USD),
        "totalCost": _summed(DECIMAL, total_cost, nullable=True, scale=USD),
        "countScores": Measure(INTEGER, entity="count(DISTINCT s.id)", relation="s"),
        # The synthetic platform does not report the tools that were offered to a model.
        "toolDefinitions": _single(INTEGER, "NULL", nullable=True),
        "toolCalls": _single(INTEGER, "NULL", nullable=True),
    }


_OBSERVATION_DIMENSIONS = {
    "name": Dimension("e.name", empty=""),
    "type": Dimension("e.type", empty=""),
    "level": Dimension("e.level", empty=""),
    "version": Dimension("e.version"),
    "providedModelName": Dimension("e.model"),
    "promptName": Dimension("e.prompt_name"),
    "promptVersion": Dimension("e.prompt_version"),
    "startTimeMonth": _month("e.started"),
    "toolNames": Dimension("toolNames.value", expand="'[]'", empty=""),
    "calledToolNames": Dimension("calledToolNames.value", expand="'[]'", empty=""),
}

_SCORES_OF_OBSERVATION = Relation("scores", "s.observation_id = e.id")

_OBSERVATIONS_1 = View(
    table="observations",
    time="start_time",
    where="e.copy = 0",
    dimensions={
        **_OBSERVATION_DIMENSIONS,
        "environment": Dimension("e.environment", empty=""),
        "id": Dimension("e.id", empty=""),
        "traceId": Dimension("e.trace_id"),
        "parentObservationId": Dimension("e.parent_id"),
        "traceName": Dimension("t.name", relation="t", empty=""),
        "tags": Dimension("t.tags", STRINGS, "t", empty=[]),
        "userId": Dimension("t.user_id", relation="t"),
        "sessionId": Dimension("t.session_id", relation="t"),
        "traceRelease": Dimension("t.release", relation="t"),
        "traceVersion": Dimension("t.version", relation="t"),
    },
    measures=_observation_measures("e.total_cost"),
    relations={"t": Relation("traces", "t.id = e.trace_id"), "s": _SCORES_OF_OBSERVATION},
)

_OBSERVATIONS_2 = View(
    table="events",
    time="start_time",
    dimensions={
        **_OBSERVATION_DIMENSIONS,
        "environment": Dimension("e.environment"),
        "id": Dimension("e.id", high_cardinality=True, empty=""),
        "traceId": Dimension("e.trace_id", high_cardinality=True, empty=""),
        "parentObservationId": Dimension("e.parent_id", high_cardinality=True),
        "isRootObservation": Dimension("(e.parent_id IS NULL)", BOOLEAN, empty=False),
        "userId": Dimension("e.user_id", high_cardinality=True),
        "sessionId": Dimension("e.session_id", high_cardinality=True),
        "tags": Dimension("e.tags", STRINGS, empty=[]),
        "release": Dimension("e.release"),
        "traceName": Dimension("e.trace_name"),
        "traceRelease": Dimension("e.release"),
        "traceVersion": Dimension("e.version"),
        "costType": Dimension("costType.key", expand="e.cost", empty=""),
        "usageType": Dimension("usageType.key", expand="e.usage", empty=""),
        # The synthetic platform runs no experiments.
        "experimentName": Dimension("NULL", high_cardinality=True),
        "experimentId": Dimension("NULL", high_cardinality=True),
        "experimentDatasetId": Dimension("NULL", high_cardinality=True),
    },
    measures={
        **_observation_measures("coalesce(e.total_cost, 0)"),
        "traceId": _single(STRING, "e.trace_id"),
        "uniqueUserIds": _single(STRING, "e.user_id"),
        "uniqueSessionIds": _single(STRING, "e.session_id"),
        "costByType": Measure(DECIMAL, "costType.value", "min(costType.value)", scale=USD, requires="costType"),
        "usageByType": Measure(INTEGER, "usageType.value", "min(usageType.value)", requires="usageType"),
    },
    relations={"s": _SCORES_OF_OBSERVATION},
)

_TRACES = View(
    table="traces",
    time="timestamp",
    dimensions={
        "id": Dimension("e.id", empty=""),
        "name": Dimension("e.name", empty=""),
        "tags": Dimension("e.tags", STRINGS, empty=[]),
        "userId": Dimension("e.user_id"),
        "sessionId": Dimension("e.session_id"),
        "release": Dimension("e.release"),
        "version": Dimension("e.version"),
        "environment": Dimension("e.environment", empty=""),
        "timestampMonth": _month("e.started"),
    },
    measures={
        "count": Measure(INTEGER, entity="count(*)"),
        "observationsCount": Measure(INTEGER, entity="count(DISTINCT o.id)", relation="o"),
        "scoresCount": Measure(INTEGER, entity="count(DISTINCT s.id)", relation="s"),
        "uniqueUserIds": Measure(INTEGER, entity="count(DISTINCT e.user_id)"),
        "uniqueSessionIds": Measure(INTEGER, entity="count(DISTINCT e.session_id)"),
        "latency": Measure(INTEGER, entity="max(o.ended) / 1000 - min(o.started) / 1000", relation="o", nullable=True),
        "totalTokens": Measure(INTEGER, entity="sum(o.total_tokens)", relation="o"),
        "totalCost": Measure(DECIMAL, entity="sum(o.total_cost)", relation="o", nullable=True, scale=USD),
    },
    relations={
        "o": Relation("observations", "o.trace_id = e.id AND o.copy = 0"),
        "s": Relation("scores", "s.trace_id = e.id"),
    },
)


def _scores(version: int, types: tuple[str, ...], own: dict[str, Dimension], measures: tuple[str, ...]) -> View:
    """A view of scores. Version 2 finds the trace's properties on its row without parent."""
    new = version == 2
    trace_name, trace_of = (
        ("t.trace_name", "t.trace_id = e.trace_id AND t.parent_id IS NULL") if new else ("t.name", "t.id = e.trace_id")
    )
    observations = "events" if new else "observations"
    observation_of = "o.id = e.observation_id" + (" AND o.trace_id = e.trace_id" if new else " AND o.copy = 0")
    dimensions = {
        "id": Dimension("e.id", high_cardinality=new, empty=""),
        "name": Dimension("e.name", empty=""),
        "source": Dimension("e.source", empty=""),
        "dataType": Dimension("e.data_type", empty=""),
        "environment": Dimension("e.environment", empty=""),
        "configId": Dimension("NULL"),
        "traceId": Dimension("e.trace_id", high_cardinality=new),
        "observationId": Dimension("e.observation_id", high_cardinality=new),
        "sessionId": Dimension("e.session_id", high_cardinality=True) if new else Dimension("t.session_id", relation="t"),
        "timestampMonth": _month("e.started"),
        "timestampDay": Dimension("strftime('%Y-%m-%d', e.started / 1000000, 'unixepoch')", empty=""),
        "traceName": Dimension(trace_name, relation="t", empty=None if new else ""),
        "userId": Dimension("t.user_id", relation="t", high_cardinality=new),
        "tags": Dimension("t.tags", STRINGS, "t", empty=[]),
        "traceRelease": Dimension("t.release", relation="t"),
        "traceVersion": Dimension("t.version", relation="t"),
        "observationName": Dimension("o.name", relation="o", empty=""),
        "observationModelName": Dimension("o.model", relation="o"),
        "observationPromptName": Dimension("o.prompt_name", relation="o"),
        "observationPromptVersion": Dimension("o.prompt_version", relation="o"),
        **own,
    }
    known = {"count": Measure(INTEGER, entity="count(*)"), "value": Measure(NUMBER, entity="min(e.value)", nullable=True)}
    return View(
        table="scores",
        time="timestamp",
        where="e.data_type IN (" + ", ".join(f"'{kind}'" for kind in types) + ")",
        dimensions=dimensions,
        measures={name: known[name] for name in measures},
        relations={"t": Relation("events" if new else "traces", trace_of), "o": Relation(observations, observation_of)},
    )


def _views(version: int) -> dict[str, View]:
    value = {"value": Dimension("e.value", NUMBER)}
    text = {"stringValue": Dimension("e.string_value")}
    truth = {"booleanValue": Dimension("(e.value <> 0)", BOOLEAN, empty=False)}
    return {
        "observations": _OBSERVATIONS_1 if version == 1 else _OBSERVATIONS_2,
        "scores-numeric": _scores(version, ("NUMERIC", "BOOLEAN"), value, ("count", "value")),
        "scores-boolean": _scores(version, ("BOOLEAN",), truth, ("count", "value")),
        "scores-categorical": _scores(version, ("CATEGORICAL",), text, ("count",)),
    }


VIEWS: dict[int, dict[str, View]] = {1: {"traces": _TRACES, **_views(1)}, 2: _views(2)}
"""Views by version of the metrics interface and name."""
