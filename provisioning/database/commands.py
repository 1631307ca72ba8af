"""The click commands below `observatory db`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provisioning.database.options import CONFIG, DSN_FILE, FORM, dry_run_option, settings_of
from provisioning.findings import InputError

if TYPE_CHECKING:
    import psycopg

    from exporters.database.installation import Plan

FINDINGS = 1


@click.group()
def db() -> None:
    """Schema `analytics` in the platform's database.

    \b
    observatory db map --check           does the configured mapping fit?
    observatory db install --dry-run     the SQL that would run
    observatory db install               make it so; again after every change of the configuration
    observatory db status                versions, how far counting is, what is missing

    Uses the connection string of somebody who may create a schema: --dsn-file, or OBSERVATORY_POSTGRES_ADMIN_DSN.
    """


@db.command()
@CONFIG
@DSN_FILE
@dry_run_option("the SQL")
def install(config: Path | None, dsn_file: Path | None, dry_run: bool) -> None:
    """Make the schema, its roles, views, and what finds changes on the platform's tables.

    Can be run again at any time; it does what is missing. What this login may not do is listed with the statement to run.
    """
    _install(config, dsn_file, dry_run, upgrade=False)


@db.command()
@CONFIG
@DSN_FILE
@dry_run_option("the SQL")
def upgrade(config: Path | None, dsn_file: Path | None, dry_run: bool) -> None:
    """Bring an installed schema to this version."""
    _install(config, dsn_file, dry_run, upgrade=True)


def _install(config: Path | None, dsn_file: Path | None, dry_run: bool, upgrade: bool) -> None:
    from exporters.database import migrations
    from provisioning.database.admin import administration, owned, passwords
    from provisioning.database.installing import carry_out, prepared

    settings = settings_of(config)
    logins = passwords(settings)
    with administration(dsn_file) as connection:
        if not dry_run:
            owned(connection)
        if upgrade and not migrations.exists(connection):
            raise InputError("error: nothing is installed in this database; run `observatory db install`")
        todo = prepared(connection, settings, logins)
        if dry_run:
            click.echo(todo.plan.as_sql(connection))
            return
        carry_out(connection, todo, lambda title: click.echo(f"done: {title}"))
        _tell_requests(connection, todo.plan)


def _tell_requests(connection: psycopg.Connection[Any], todo: Plan) -> None:
    if not todo.requests:
        return
    click.echo("\nto be run by somebody who may:")
    for request in todo.requests:
        click.echo(f"-- {request.reason}\n{request.step.as_sql(connection)}")
    raise SystemExit(FINDINGS)


@db.command("map")
@click.option("--check", is_flag=True, required=True, help="Hold the mapping against the live database.")
@CONFIG
@DSN_FILE
@FORM
def map_(check: bool, config: Path | None, dsn_file: Path | None, form: str) -> None:  # noqa: ARG001
    """Does the configured mapping fit the database?

    Lists every table, column and type that does not fit, and which panels and alerts will be without data because of what is
    absent or does not fit.
    """
    from exporters.database.mapping import Mapping
    from exporters.database.mapping_check import problems
    from provisioning.database.admin import administration
    from provisioning.database.consequences import consequences

    settings = settings_of(config)
    with administration(dsn_file) as connection:
        mapping = Mapping.of(settings)
        found = problems(connection, mapping)
    absent = [name for name in mapping.relations if mapping.is_absent(name)]
    without = consequences({*absent, *(problem.relation for problem in found)}, settings)
    if form == "json":
        answer = {"ok": not found, "problems": [asdict(problem) for problem in found], "absent": absent, **asdict(without)}
        click.echo(json.dumps(answer, indent=2))
    else:
        for problem in found:
            click.echo(f"error: {problem}")
        if absent:
            click.echo(f"absent: {', '.join(absent)}")
        for line in without.as_lines():
            click.echo(line)
        problems_found = f"{len(found)} problem{'' if len(found) == 1 else 's'}"
        click.echo(f"{len(mapping.relations) - len(absent)} relations mapped, {len(absent)} absent, {problems_found}")
    if found:
        raise SystemExit(FINDINGS)


@db.command()
@CONFIG
@DSN_FILE
@FORM
def status(config: Path | None, dsn_file: Path | None, form: str) -> None:
    """Versions, how far each source is counted, sizes, slow statements, and what is missing."""
    from provisioning.database import report
    from provisioning.database.admin import administration
    from provisioning.database.installing import prepared

    settings = settings_of(config)
    with administration(dsn_file) as connection:
        found = report.status(connection, settings, lambda: prepared(connection, settings, {}).plan)
    click.echo(json.dumps(found.as_json(), indent=2, default=str) if form == "json" else found.as_text())
    if found.missing:
        raise SystemExit(FINDINGS)


@db.command()
@click.argument("sources", nargs=-1, required=True)
@CONFIG
@DSN_FILE
def rebuild(sources: tuple[str, ...], config: Path | None, dsn_file: Path | None) -> None:
    """Count SOURCES anew, after a restore or a truncation of their tables. `observatory db status` says which need it.

    Counters never fall: they become the greater of what was counted and what is found. Interrupted, it leaves no trace.
    """
    from provisioning.database.admin import administration, installed
    from provisioning.database.rebuilding import rebuild_sources

    settings = settings_of(config)
    with administration(dsn_file) as connection:
        installed(connection)
        rebuild_sources(connection, settings, sources, click.echo)


@db.command()
@DSN_FILE
@dry_run_option("the SQL")
@click.option("--yes", is_flag=True, help="Do not ask.")
def uninstall(dsn_file: Path | None, dry_run: bool, yes: bool) -> None:
    """Remove everything that `install` made, from the platform's tables too, with everything that was counted."""
    from exporters.database.plan import take
    from exporters.database.removal import removal_steps, role_removals
    from exporters.rollups import functions
    from provisioning.database.admin import administration

    with administration(dsn_file) as connection:
        steps, roles = list(removal_steps(connection, functions.names())), role_removals(connection)
        if dry_run:
            click.echo("\n\n".join(step.as_sql(connection) for step in (*steps, *roles)))
            return
        if not steps and not roles:
            click.echo("nothing of ours is in this database")
            return
        database = connection.info.dbname
        if not yes and not click.confirm(f"Remove schema analytics and what belongs to it from database {database}?"):
            raise SystemExit(FINDINGS)
        take(connection, steps, lambda title: click.echo(f"removed: {title}"))
        for kept in _drop_roles(connection, roles):
            click.echo(f"kept: {kept}: another database of this server still uses it, or this login may not drop it")


def _drop_roles(connection: psycopg.Connection[Any], roles: list[Any]) -> list[str]:
    import psycopg

    from exporters.database.plan import take

    kept = []
    for step in roles:
        try:
            take(connection, [step], lambda _: None)
        except (psycopg.errors.DependentObjectsStillExist, psycopg.errors.InsufficientPrivilege):
            kept.append(step.title)
        else:
            click.echo(f"removed: {step.title}")
    return kept
