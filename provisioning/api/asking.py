"""The command `observatory api ask`: a named query answered here and now, by the same catalogue and without the service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioning.database.options import CONFIG, settings_of
from provisioning.findings import InputError, Unreachable

if TYPE_CHECKING:
    from api.service import Service
    from api.tokens import Caller
    from contract.settings import Settings


@click.command("ask")
@CONFIG
@click.argument("query", required=False)
@click.option("--start-date", help="ISO date or time (UTC).")
@click.option("--end-date", help="The same; without it, now.")
@click.option("--days", help="So many days back from the end; 7 without it.")
@click.option("--where", multiple=True, metavar="LABEL=VALUE", help="Only these; may be given several times.")
@click.option("--format", "form", type=click.Choice(["json", "csv"]), default="json", show_default=True)
def ask(
    config: Path | None,
    query: str | None,
    start_date: str | None,
    end_date: str | None,
    days: str | None,
    where: tuple[str, ...],
    form: str,
) -> None:
    """Answer a named query here, as the service would; without QUERY, list their names.

    It needs api.dsn_files.admin or .business, and no token: whoever may read that file may read all that it opens.

    \b
    observatory api ask
    observatory api ask costs.models --days 30
    observatory api ask agents.days --where agent=support --where agent=sales --format csv
    """
    import asyncio

    given = {"start_date": start_date, "end_date": end_date, "days": days}
    values = {name: [value] for name, value in given.items() if value is not None}
    for one in where:
        label, sign, value = one.partition("=")
        if not sign:
            raise InputError(f"error: --where {one!r}: write LABEL=VALUE, such as agent=support")
        values.setdefault(label, []).append(value)
    click.echo(asyncio.run(_answered(settings_of(config), query, values, form)), nl=False)


async def _answered(settings: Settings, query: str | None, values: dict[str, list[str]], form: str) -> bytes:
    """The answer as the service writes it. Raises InputError and Unreachable."""
    from http import HTTPStatus

    from api.catalogue.endpoints import named_queries
    from api.problems import Problem

    service, caller = _asker(settings)
    queries = named_queries(caller.role)
    if query is None:
        width = max(map(len, queries))
        return "".join(f"{name:<{width}}  {one.words}\n" for name, one in queries.items()).encode()
    if query not in queries:
        raise InputError(f"error: there is no query {query!r}; `observatory api ask` lists them")
    try:
        return await _one(service, caller, query, values, form)
    except Problem as problem:
        kind = InputError if problem.status == HTTPStatus.BAD_REQUEST else Unreachable
        raise kind(f"error: {problem.detail}") from None
    finally:
        await service.database.close()


async def _one(service: Service, caller: Caller, name: str, values: dict[str, list[str]], form: str) -> bytes:
    from api.answers import document
    from api.catalogue.endpoints import named_queries
    from api.parameters import RANGE, Page, filters_of, known, range_of
    from api.service import Asked

    query = named_queries(caller.role)[name]
    known(values, (*(RANGE if query.ranged else ()), *query.filters))
    range_, filters = range_of(values, service.limits.days), filters_of(values, tuple(query.filters))
    if form == "csv":
        return await service.whole_table(caller, query, Asked(range_, filters))
    part = await service.fresh(caller, query, Asked(range_, filters, Page(size=service.limits.rows)))
    return document({name: part})[0] + b"\n"


def _asker(settings: Settings) -> tuple[Service, Caller]:
    """The service without a server, and who asks: the administrator where there is a login for that."""
    from api.catalogue.endpoints import Role
    from api.process import served
    from api.tokens import Caller
    from provisioning.api.setup import setup

    # what only the service needs is not asked for: Grafana's token, and callers' tokens
    alone = {"tokens_file": os.devnull, "grafana_live": False, "viewers": False, "viewers_log": None}
    service = served(setup(settings.model_copy(update={"api": settings.api.model_copy(update=alone)})))
    role = next((role for role in (Role.ADMIN, Role.BUSINESS) if service.database.serves(role)), None)
    if role is None:
        raise InputError("error: api.dsn_files names no login of an administrator or of the business")
    return service, Caller("command", role)
