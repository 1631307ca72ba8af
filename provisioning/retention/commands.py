"""The click commands below `observatory retention`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from provisioning.database.options import CONFIG, DSN_FILE, FORM, dry_run_option, settings_of

LEFT = 1


@click.group()
def retention() -> None:
    """How long what is known stays.

    \b
    observatory retention status                            what is kept, and how much of it is too old
    observatory retention apply --dry-run                   what would be removed
    observatory retention apply --archive FOLDER --yes      old rows go into compressed CSV files, and only then

    What is kept how long stands in the configuration, database.retention; docs/operations.md says what the exporter removes by
    itself. Uses the connection string of the administrator: --dsn-file, or OBSERVATORY_POSTGRES_ADMIN_DSN.
    """


@retention.command()
@CONFIG
@DSN_FILE
@FORM
def status(config: Path | None, dsn_file: Path | None, form: str) -> None:
    """Every table: rows, size, how long it is kept, how much is older, and who removes that."""
    from provisioning.database.admin import administration, installed
    from provisioning.retention import status as looking
    from provisioning.retention.tables import kept

    settings = settings_of(config)
    with administration(dsn_file) as connection:
        installed(connection)
        found = looking.status(connection, kept(connection, settings))
    click.echo(json.dumps(found.as_json(), indent=2) if form == "json" else found.as_text())


@retention.command()
@CONFIG
@DSN_FILE
@dry_run_option("how many rows are too old")
@click.option("--archive", type=click.Path(path_type=Path, file_okay=False), help="Folder that old rows are written to first.")
@click.option("--table", "only", multiple=True, help="Only this table, as `status` names it; may be given several times.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--actor", help="Who does it.  [env: OBSERVATORY_ACTOR; else your login]")
def apply(
    config: Path | None, dsn_file: Path | None, dry_run: bool, archive: Path | None, only: tuple[str, ...], yes: bool,
    actor: str | None,
) -> None:  # fmt: skip
    """Remove what is older than the configured retention, into an archive where one is named.

    Ends with 1 when something was left, and says why. Interrupted, the next run goes on.
    """
    from provisioning.actions.audit import actor as named
    from provisioning.database.admin import administration, installed
    from provisioning.retention import applying
    from provisioning.retention.status import status
    from provisioning.retention.tables import chosen, kept

    settings, who = settings_of(config), named(actor)
    with administration(dsn_file) as connection:
        installed(connection)
        tables = chosen(kept(connection, settings), only)
        old = [held for held in status(connection, tables).held if held.old_rows]
        obstacles = {held.kept.name: applying.obstacle(connection, held.kept, archive) for held in old}
        for held in old:
            why = obstacles[held.kept.name]
            click.echo(
                f"{held.kept.name}: {held.old_rows} rows older than {held.kept.older_than}" + (f" stay: {why}" if why else "")
            )
        if dry_run or not old:
            click.echo("nothing was removed" if old else "nothing is too old")
            return
        if all(obstacles.values()):
            raise SystemExit(LEFT)
        if not yes and not click.confirm("Remove them?", err=True):
            raise SystemExit(LEFT)
        with applying.alone(connection, archive):
            for kept_ in tables:
                done = applying.apply(connection, kept_, archive, who, click.echo)
                if done.rows:
                    into = f", {done.files} files in {archive}" if done.files else ""
                    click.echo(f"{kept_.name}: {done.rows} rows removed{into}")
    if any(obstacles.values()):
        raise SystemExit(LEFT)
