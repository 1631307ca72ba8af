"""What all list endpoints share: forms of parameters, pages, cursors."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from demo.langfuse import times
from demo.langfuse.errors import InvalidRequest, invalid_data
from demo.langfuse.filters import Filter, Values, condition
from demo.langfuse.standin import Ask


def _checked_time(text: str) -> str:
    times.from_iso(text)
    return text


Time = Annotated[str, AfterValidator(_checked_time)]
Commas = str
"""Several values in one parameter, between commas."""


class Parameters(BaseModel):
    """Parameters of a URL: all text, unknown ones ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Page(Parameters):
    page: Annotated[int, Field(ge=1)] = 1
    limit: Annotated[int, Field(ge=1, le=100)] = 50

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit

    def meta(self, total: int) -> dict[str, int]:
        return {"page": self.page, "limit": self.limit, "totalItems": total, "totalPages": -(-total // self.limit)}


_Form = TypeVar("_Form", bound=Parameters)


def read_parameters(form: type[_Form], ask: Ask) -> _Form:
    """The parameters of a request in a form. Raises InvalidData with all that is wrong."""
    lists = {name for name, entry in form.model_fields.items() if "list" in str(entry.annotation)}
    raw = {name: values if name in lists else values[-1] for name, values in ask.parameters.items()}
    try:
        return form.model_validate(raw)
    except ValidationError as error:
        raise invalid_data(error) from None


_FILTERS: TypeAdapter[list[Any]] = TypeAdapter(list[Filter])

Columns = Mapping[str, tuple[str, str]]
"""SQL and kind of the columns that filters may name."""


def read_filters(text: str | None) -> list[Any]:
    """The filters in a `filter` parameter. Raises InvalidRequest or InvalidData."""
    if text is None:
        return []
    try:
        return _FILTERS.validate_python(json.loads(text))
    except ValidationError as error:
        raise invalid_data(error, within=("filter",)) from None
    except ValueError:
        raise InvalidRequest("Invalid JSON in filter parameter") from None


def conditions(filters: Sequence[Any], columns: Columns, values: Values) -> list[str]:
    found = []
    for filter_ in filters:
        if filter_.column not in columns:
            raise InvalidRequest(f"Invalid filter column {filter_.column}. Must be one of {','.join(columns)}")
        sql, kind = columns[filter_.column]
        found.append(condition(filter_, sql, kind, values, empty_is_null=True))
    return found


def split(text: str | None) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


def one_of(column: str, wanted: Sequence[str], values: Values) -> str:
    return f"{column} IN {values.add_all(list(wanted))}"


def half_open(column: str, start: str | None, end: str | None, values: Values) -> list[str]:
    """From `start` on, before `end`: windows that touch share no row."""
    found = [f"{column} >= {values.add(times.from_iso(start))}"] if start else []
    return [*found, f"{column} < {values.add(times.from_iso(end))}"] if end else found


def write_cursor(place: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read_cursor(text: str, keys: Mapping[str, type]) -> dict[str, Any]:
    """What `write_cursor` wrote. Raises InvalidRequest for anything that it did not."""
    try:
        place = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if {name: type(value) for name, value in place.items()} == dict(keys):
            return dict(place)
    except (ValueError, AttributeError):
        pass
    raise InvalidRequest("Invalid cursor format")
