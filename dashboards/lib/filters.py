"""Filters: what readers choose by, and how a choice acts on a query. A tab names its own; panels do nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from contract.metrics import Source
from contract.signals.model import Match, Matches, Signal, equal, like

FILTERS = ("environment", "department", "agent", "version", "model", "intent", "tier", "status")
"""All filters, in the order in which they stand above a tab. Each is a variable of that name."""
STANDARD = ("environment", "agent")
_OF_LABELS = ("environment", "agent", "version", "model")
"""Those that act on signals by themselves. Many signals ask for a status of their own; a panel says where it is a choice."""

_acting: ContextVar[tuple[str, ...]] = ContextVar("filters of the tab that is being built", default=STANDARD)
_single: ContextVar[tuple[str, ...]] = ContextVar("those of them that hold exactly one value", default=())


@contextmanager
def acting(filters: tuple[str, ...], single: tuple[str, ...] = ()) -> Iterator[None]:
    """Within it, questions are filtered by these, `single` ones by one value. A tab opens it around its rows."""
    tokens = _acting.set(filters), _single.set(single)
    try:
        yield
    finally:
        _acting.reset(tokens[0])
        _single.reset(tokens[1])


def standing() -> tuple[str, ...]:
    """The filters of the tab that is being built."""
    return _acting.get()


def of_one_value(filter_: str) -> bool:
    """Whether exactly one value of a filter is chosen on the tab that is being built."""
    return filter_ in _single.get()


def filtered(signal: Signal) -> Matches:
    """Matchers for the tab's filters that can act on a signal: those that all of its metrics carry as a label.

    What others say of themselves (Prometheus, for example) has an environment at some sites only, and is never filtered.
    """
    if signal.source == Source.FOREIGN:
        return ()
    return tuple(matched(name) for name in _acting.get() if name in _OF_LABELS and name in signal.labels)


def matched(filter_: str) -> Match:
    """A matcher for the chosen values of a filter. Of a variable with one value Grafana makes no pattern."""
    return (equal if of_one_value(filter_) else like)(filter_, f"${filter_}")


def chosen(expression: str, filter_: str) -> str:
    """An SQL condition: the text `expression` is among the chosen values of a filter. NULL is taken for an empty text.

    All values together are the pattern `.*`, which Grafana writes as it stands; so the values are compared as a pattern, each
    escaped by Grafana's format `regex`. That leaves quotes alone, therefore the pattern stands between dollar quotes, which no
    value can close: its dollars are escaped, and the parentheses keep the last one off the quotes.

    To hold a pattern against a row takes longer than to read the row. So PostgreSQL decides before it begins, for it is about
    constants, whether all values are chosen, or one plain word, which is the same as its pattern.

    It takes a pattern for one that hardly any row meets, and would join what it believes to be one row by loops within loops;
    of a CASE it expects half of the rows.
    """
    value, pattern = f"coalesce({expression}, '')", f"(${{{filter_}:regex}})"
    choice = (
        rf"CASE WHEN $${pattern}$$ = '(.*)' THEN true "
        rf"WHEN $${pattern}$$ ~ '\A\([\w-]*\)\Z' THEN {value} = btrim($${pattern}$$, '()') "
        rf"ELSE {value} ~ $$\A{pattern}\Z$$ END"
    )
    return f"CASE WHEN {choice} THEN true ELSE false END"


def chosen_all(**expressions: str) -> str:
    """Several such conditions: `chosen_all(environment="e.environment", agent="e.agent_name")`.

    Those whose filter the tab does not have are left out; without any it is `true`.
    """
    return " AND ".join(chosen(expressions[name], name) for name in _acting.get() if name in expressions) or "true"


def chosen_agents(agent_id: str) -> str:
    """An SQL condition: an agent's id is that of a chosen one. Agents are few, so they are looked up once; PostgreSQL cannot
    guess how many names a pattern finds, and would rather look at all other rows again for each of them.
    """
    if "agent" not in _acting.get():
        return "true"
    return f"{agent_id} = ANY (ARRAY(SELECT a.id FROM analytics.agents a WHERE {chosen('a.name', 'agent')}))"
