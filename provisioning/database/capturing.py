"""Which way each source's changes are found, decided at installation and kept from then on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from contract.settings import Settings
from exporters.database import migrations
from exporters.database.installation import Captures
from exporters.database.mapping import Mapping
from exporters.database.plan import Statement
from exporters.rollups import planned
from exporters.rollups.advance import register, tell_news
from exporters.rollups.capture.choice import SCAN_ROWS, CaptureImpossible, Choice, Mode, choose, table_facts
from exporters.rollups.forms import forms
from exporters.rollups.model import Source
from exporters.rollups.sources import SOURCES
from exporters.rollups.state import modes, states
from exporters.rollups.triggers import asks_for_rebuild, switched_off, trigger_statements
from provisioning.sizes import size


@dataclass(frozen=True)
class Decision:
    """How one source is captured, and why."""

    source: Source
    choice: Choice


def decisions(
    connection: psycopg.Connection[Any], mapping: Mapping, settings: Settings
) -> tuple[list[Decision], tuple[str, ...]]:
    """One for every source that the platform has, and a sentence for each of which the configuration wants what cannot be. A
    source that is counted already keeps its way."""
    counted = modes(connection) if _is_counting(connection) else {}
    found, impossible = [], []
    for source in SOURCES.values():
        if mapping.is_absent(source.relation):
            continue
        if mode := counted.get(source.name):
            found.append(Decision(source, Choice(mode, "as it is counted already")))
            continue
        try:
            found.append(Decision(source, _choice(connection, mapping, settings, source)))
        except CaptureImpossible as problem:
            impossible.append(str(problem))
    return found, tuple(impossible)


_MANY_LINES = 10_000
"""A step takes all lines that there are, every few seconds; with more of them some exporter is missing."""
_FEW_CHANGES, _OFTEN = 1_000, 0.1
"""Changes of final rows up to a number, and up to a share of all rows counted, are not worth a word."""


def _is_counting(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT to_regclass('analytics.sources') IS NOT NULL").fetchone()
    return migrations.exists(connection) and bool(row and row[0])


def _choice(connection: psycopg.Connection[Any], mapping: Mapping, settings: Settings, source: Source) -> Choice:
    wanted, driving = mapping.capture(source.relation), mapping.driving(source.relation)
    if mapping.is_query(source.relation):
        if wanted in ("auto", "scan"):
            return Choice("scan", "it is a query")
        if wanted == "snapshot" or driving is None:
            instead = (
                "name its driving_table for ids or window, or take scan" if driving is None else "take ids, window or scan"
            )
            raise CaptureImpossible(f"database.relations.{source.relation}: a query cannot be captured by {wanted}; {instead}")
    assert driving is not None
    key = mapping.column(source.relation, source.key) or mapping.driving_key(source.relation)
    time = mapping.column(source.relation, source.contract.time)
    said = mapping.relations[source.relation].columns
    counted = [one for name in source.own_columns if (one := said.get(name, name)) is not None]
    facts = table_facts(connection, sql.Identifier(*driving).as_string(connection), (key,), time, counted)
    return choose(facts, wanted, alter_tables=settings.database.alter_tables, mutable=follows_changes(source))


def follows_changes(source: Source) -> bool:
    """Whether figures of a source depend on rows that are final: how many there are, in which state."""
    return any(stock.when == "true" for stock in source.stocks)


def captures(
    connection: psycopg.Connection[Any], mapping: Mapping, decided: Sequence[Decision], impossible: tuple[str, ...]
) -> Captures:
    """What has to be installed for these."""
    triggers: dict[str, Sequence[Statement]] = {
        decision.source.relation: trigger_statements(mapping, decision.source)
        for decision in decided
        if decision.choice.mode == "snapshot"
    }
    counted = modes(connection) if _is_counting(connection) else {}
    stamped = (decision.source for decision in decided if decision.choice.mode == "snapshot")
    repairs: dict[str, Sequence[Statement]] = {
        SOURCES[name].relation: [asks_for_rebuild(name)] if name in counted else []
        for name in switched_off(connection, mapping, stamped)
    }
    windows = any(decision.choice.mode == "window" for decision in decided)
    return Captures(triggers, repairs, statistics=windows, impossible=impossible)


def other_choices(connection: psycopg.Connection[Any], mapping: Mapping, settings: Settings) -> list[str]:
    """A sentence for each source that would be captured in another way, were it installed today."""
    said = []
    for state in states(connection):
        source = SOURCES.get(state.source)
        if source is None or mapping.is_absent(source.relation):
            continue
        try:
            choice = _choice(connection, mapping, settings, source)
        except CaptureImpossible as problem:
            said.append(f"{state.source}: captured by {state.mode}, not as configured: {problem}")
            continue
        if choice.mode != state.mode:
            said.append(
                f"{state.source}: captured by {state.mode}; today it would be {choice.mode}: {choice.reason}. To keep it, say"
                f" database.relations.{source.relation}.capture: {state.mode}; to change it, `observatory db uninstall` and"
                " `observatory db install`, which count everything anew and forget what is no longer in the tables"
            )
    return said


def dear_changes(connection: psycopg.Connection[Any], mapping: Mapping) -> list[str]:
    """A sentence for each source whose final rows are changed so often that capture by snapshots burdens the platform."""
    said = []
    for state in states(connection):
        source = SOURCES.get(state.source)
        often = state.corrections > max(_FEW_CHANGES, state.counted * _OFTEN)
        if source is None or mapping.is_absent(source.relation) or state.mode != "snapshot" or not often:
            continue
        said.append(
            f"{state.source}: {state.corrections:,} of {state.counted:,} rows counted were changes of rows that had ended. Each"
            " makes the platform's own statement take about three tenths longer, for it writes a line of ours;"
            f" `database.relations.{source.relation}.capture: scan` costs writers nothing, and reads the whole"
            f" table in each round: fit for up to {SCAN_ROWS:,} rows"
        )
    return said


def waiting_lines(connection: psycopg.Connection[Any]) -> list[str]:
    """A sentence for each source of which so many changed rows wait to be counted that nobody can be counting."""
    found = connection.execute(
        "SELECT s.source, q.lines, q.bytes, date_trunc('second', s.advanced_at)::text FROM analytics.sources AS s JOIN"
        " (SELECT source, count(*) AS lines, sum(pg_column_size(l)) AS bytes FROM analytics.retractions AS l GROUP BY 1) AS q"
        " USING (source) WHERE q.lines > %s ORDER BY 1",
        (_MANY_LINES,),
    )
    return [
        f"{source}: {lines:,} lines of triggers ({size(int(bytes_))}) about changed or deleted rows wait for an exporter that"
        f" counts; they gather since {since}, and go with its next step"
        for source, lines, bytes_, since in found
    ]


def begin(connection: psycopg.Connection[Any], mapping: Mapping, decided: Sequence[Decision]) -> list[tuple[str, Mode]]:
    """Begins to count what is not counted yet, each source in a transaction of its own; gives names and ways."""
    counted = {state.source for state in states(connection)}
    known = forms(connection, mapping)
    begun = []
    for decision in decided:
        name, mode = decision.source.name, decision.choice.mode
        if name not in counted:
            with connection.transaction():
                connection.execute("SET LOCAL timezone = 'UTC'")
                register(connection, known[name], mode)
            begun.append((name, mode))
    if begun:
        tell_news(connection, known)
    return begun


def renew(connection: psycopg.Connection[Any], mapping: Mapping, decided: Sequence[Decision]) -> list[str]:
    """Makes anew the functions that count where they are not what this version makes for this mapping; gives the sources.

    Without it they were counted by a dearer way. How far they were counted stays as it is.
    """
    known = forms(connection, mapping)
    stale = [one.source.name for one in decided if one.choice.mode == "snapshot" and not known[one.source.name].planned]
    for name in stale:
        connection.execute(planned.function(known[name]).encode())
    tell_news(connection, known)  # of no table that is no longer mapped
    return stale
