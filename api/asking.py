"""A free question: measures of a subject by its dimensions, as the catalogue lists them and in no other words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from api.catalogue.model import Query
from api.catalogue.subjects import SUBJECTS, TIMES, Subject
from api.parameters import filter_values
from api.problems import wrong

FIELDS = ("subject", "measures", "by", "where", "order", "start_date", "end_date", "days", "page", "page_size")
_MOST_MEASURES, _MOST_BY = 20, 6


def body_of(raw: bytes) -> dict[str, Any]:
    """The fields of a question. Raises Problem for what is no JSON object, or has others."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise wrong("the body is no JSON object") from None
    if not isinstance(found, dict):
        raise wrong("the body is no JSON object")
    if unknown := sorted(found.keys() - set(FIELDS)):
        raise wrong(f"the body has a field {unknown[0][:60]!r}; want {', '.join(FIELDS)}")
    return found


def scalars(body: Mapping[str, Any], names: Sequence[str]) -> dict[str, list[str]]:
    """Those fields that are parameters of other endpoints, as these have them."""
    found = {}
    for name in names:
        if name in body:
            value = body[name]
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise wrong(f"{name} is a text or a whole number")
            found[name] = [str(value)]
    return found


def query_of(body: Mapping[str, Any]) -> tuple[Query, dict[str, list[str]]]:
    """The query, and the values of its filters. Raises Problem that says what can be asked instead."""
    name = body.get("subject")
    if not isinstance(name, str) or name not in SUBJECTS:
        raise wrong(f"subject is one of {', '.join(sorted(SUBJECTS))}")
    subject = SUBJECTS[name]
    measures = _names(body.get("measures", []), "measures", list(subject.measures), _MOST_MEASURES)
    if not measures:
        raise wrong(f"measures of {name} are {', '.join(subject.measures)}; name at least one")
    by = _names(body.get("by", []), "by", list(subject.dimensions), _MOST_BY)
    if len([one for one in by if one in TIMES]) > 1:
        raise wrong("by has more than one width of time; name one of them")
    order = _order(body.get("order", []), [*by, *measures], by)
    return subject.query("query", subject.words, by, measures, order), _where(body.get("where", {}), subject)


def _names(given: Any, what: str, known: Sequence[str], most: int) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given) or len(given) > most:
        raise wrong(f"{what} is a list of at most {most} names")
    for one in given:
        if one not in known:
            raise wrong(f"{one[:60]!r} is none of {what}; want {', '.join(known)}")
    if len(set(given)) < len(given):
        raise wrong(f"{what} names something twice")
    return given


def _order(given: Any, columns: Sequence[str], by: Sequence[str]) -> str:
    """The order of rows: as asked, then by the dimensions, so that it is the same every time."""
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given) or len(given) > _MOST_BY:
        raise wrong(f"order is a list of at most {_MOST_BY} columns")
    parts = {}
    for one in given:
        name = one.removeprefix("-")
        if name not in columns:
            raise wrong(f"{one[:60]!r} is no column of the answer; want {', '.join(columns)}, each with a - for descending")
        parts[name] = f"{name} DESC NULLS LAST" if one.startswith("-") else f"{name} NULLS LAST"
    return ", ".join((*parts.values(), *(name for name in by if name not in parts))) or "1"


def _where(given: Any, subject: Subject) -> dict[str, list[str]]:
    if not isinstance(given, dict):
        raise wrong("where is an object of labels, each with a list of values")
    found = {}
    for label, values in given.items():
        if label not in subject.view.labels:
            known = ", ".join(subject.view.labels) or "none"
            raise wrong(f"{label[:60]!r} is no label of {subject.name}; want {known}")
        if not isinstance(values, list):
            raise wrong(f"where.{label} is a list of values")
        found[label] = filter_values(f"where.{label}", values)
    return found
