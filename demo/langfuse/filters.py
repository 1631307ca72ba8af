"""Filters of questions: their form, what they may be put on, and their SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator

from demo.langfuse import times
from demo.langfuse.errors import InvalidRequest
from demo.langfuse.views import BOOLEAN, NUMBER, STRING, STRINGS

TextOperator = Literal["=", "contains", "does not contain", "starts with", "ends with"]
NumberOperator = Literal["=", ">", "<", ">=", "<="]


class Form(BaseModel):
    """Unknown keys are ignored, wrong types are not converted."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Filter(Form):
    column: str


class DatetimeFilter(_Filter):
    type: Literal["datetime"]
    operator: Literal[">", "<", ">=", "<="]
    value: str

    @field_validator("value")
    @classmethod
    def _is_time(cls, value: str) -> str:
        times.from_iso(value)
        return value


class TextFilter(_Filter):
    type: Literal["string"]
    operator: TextOperator
    value: str


class OptionsFilter(_Filter):
    type: Literal["stringOptions"]
    operator: Literal["any of", "none of"]
    value: Annotated[list[str], Field(min_length=1)]


class ArrayFilter(_Filter):
    type: Literal["arrayOptions"]
    operator: Literal["any of", "none of", "all of"]
    value: list[str]

    @field_validator("value")
    @classmethod
    def _not_empty(cls, value: list[str], info: Any) -> list[str]:
        if not value and info.data.get("operator") == "any of":
            raise ValueError("Value array must not be empty unless operator is 'all of' or 'none of'")
        return value


class NumberFilter(_Filter):
    type: Literal["number"]
    operator: NumberOperator
    value: float


class BooleanFilter(_Filter):
    type: Literal["boolean"]
    operator: Literal["=", "<>"]
    value: bool


class ObjectFilter(_Filter):
    type: Literal["stringObject"]
    key: str
    operator: TextOperator
    value: str


class NullFilter(_Filter):
    type: Literal["null"]
    operator: Literal["is null", "is not null"]
    value: Literal[""]


def _tag(value: Any) -> str:
    found = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"filter:{found}"


Filter = Annotated[
    Annotated[DatetimeFilter, Tag("filter:datetime")]
    | Annotated[TextFilter, Tag("filter:string")]
    | Annotated[OptionsFilter, Tag("filter:stringOptions")]
    | Annotated[ArrayFilter, Tag("filter:arrayOptions")]
    | Annotated[NumberFilter, Tag("filter:number")]
    | Annotated[BooleanFilter, Tag("filter:boolean")]
    | Annotated[ObjectFilter, Tag("filter:stringObject")]
    | Annotated[NullFilter, Tag("filter:null")],
    Discriminator(_tag),
]

TIME, METADATA = "datetime", "metadata"
_COMPATIBLE: Mapping[str, tuple[str, ...]] = {
    STRING: ("string", "stringOptions", "null"),
    STRINGS: ("arrayOptions", "null"),
    BOOLEAN: ("boolean", "null"),
    NUMBER: ("number", "null"),
    TIME: ("datetime", "null"),
    METADATA: ("stringObject", "null"),
}


class Values(dict[str, Any]):
    """Values of a statement's parameters, named in the order they are added."""

    def add(self, value: object) -> str:
        name = f"p{len(self)}"
        self[name] = value
        return f":{name}"

    def add_all(self, values: list[str]) -> str:
        return "(" + ", ".join(map(self.add, values)) + ")"


def condition(filter_: Any, sql: str, kind: str, values: Values, empty_is_null: bool) -> str:
    """SQL of a filter on a column.

    `empty_is_null` is the rule of version 2: a missing text compares as "". In version 1 it compares as nothing at all.
    Raises InvalidRequest when the type of filter does not go with the kind of column.
    """
    if filter_.type not in _COMPATIBLE[kind]:
        raise InvalidRequest(_incompatible(filter_.column, filter_.type, kind))
    if filter_.type == "null":
        return f"{sql} {filter_.operator.upper()}"
    if filter_.type == "datetime":
        return f"{sql} {filter_.operator} {values.add(times.from_iso(filter_.value))}"
    if filter_.type in ("number", "boolean"):
        return f"{sql} {filter_.operator} {values.add(filter_.value)}"
    if filter_.type == "arrayOptions":
        return _array_condition(filter_, sql, values)
    text = f"coalesce(CAST({sql} AS TEXT), '')" if empty_is_null else f"CAST({sql} AS TEXT)"
    if filter_.type == "stringOptions":
        return f"{text} {'IN' if filter_.operator == 'any of' else 'NOT IN'} {values.add_all(filter_.value)}"
    return _text_condition(filter_.operator, "''" if kind == METADATA else text, values.add(filter_.value))


def _text_condition(operator: str, text: str, value: str) -> str:
    return {
        "=": f"{text} = {value}",
        "contains": f"instr({text}, {value}) > 0",
        "does not contain": f"instr({text}, {value}) = 0",
        "starts with": f"substr({text}, 1, length({value})) = {value}",
        "ends with": f"substr({text}, length({text}) - length({value}) + 1) = {value}",
    }[operator]


def _array_condition(filter_: ArrayFilter, sql: str, values: Values) -> str:
    if filter_.operator == "all of":
        wanted = sorted(set(filter_.value))
        found = f"SELECT count(DISTINCT value) FROM json_each({sql}) WHERE value IN {values.add_all(wanted)}"  # noqa: S608
        return f"({found}) = {len(wanted)}"
    found = f"SELECT 1 FROM json_each({sql}) WHERE value IN {values.add_all(filter_.value)}"  # noqa: S608  values are bound
    return f"{'NOT ' if filter_.operator == 'none of' else ''}EXISTS ({found})"


def _incompatible(column: str, type_: str, kind: str) -> str:
    if kind == STRINGS:
        return (
            f"Invalid filter for field '{column}': Array fields require type 'arrayOptions', not '{type_}'. "
            "Use operators like 'any of', 'all of', or 'none of' with an array of values."
        )
    if kind == METADATA:
        return (
            f"Invalid filter for field '{column}': Metadata filters require type 'stringObject' with a 'key' property, "
            f"not '{type_}'."
        )
    return f"Invalid filter for field '{column}': type '{type_}' is not compatible; use one of {', '.join(_COMPATIBLE[kind])}."
