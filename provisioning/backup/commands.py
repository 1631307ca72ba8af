"""`observatory backup` and `observatory restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provisioning.database.options import CONFIG, DSN_FILE, dry_run_option, settings_of

if TYPE_CHECKING:
    from contract.settings import Settings
    from provisioning.backup.file import Manifest


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@DSN_FILE
def backup(file: Path, dsn_file: Path | None) -> None:
    """Save schema `analytics` in FILE, as it is at one moment. Nobody waits for it.

    \b
    observatory backup analytics-2026-08-01.zip
    """
    from provisioning.backup.saving import save
    from provisioning.database.admin import administration, installed

    with administration(dsn_file) as connection:
        installed(connection)
        manifest = save(connection, file, click.echo)
    rows = sum(table.rows for table in manifest.tables.values())
    click.echo(f"{file}: {rows} rows of {len(manifest.tables)} tables, version {manifest.version}, as of {manifest.made_at}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@CONFIG
@DSN_FILE
@dry_run_option("what would be restored")
@click.option("--replace", is_flag=True, help="Put it in the place of what schema analytics holds now.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--actor", help="Who does it.  [env: OBSERVATORY_ACTOR; else your login]")
def restore(
    file: Path, config: Path | None, dsn_file: Path | None, dry_run: bool, replace: bool, yes: bool, actor: str | None
) -> None:
    """Take a backup in: into a database without schema `analytics`, or with --replace in the place of what is there.

    Where there is no schema, everything that `db install` makes is made too. Counting goes on from the moment of the backup.

    \b
    observatory restore analytics-2026-08-01.zip --dry-run
    observatory restore analytics-2026-08-01.zip --replace
    """
    from contract.values import duration_seconds
    from exporters.database.migrations import exists
    from provisioning.actions.audit import actor as named
    from provisioning.backup import restoring
    from provisioning.backup.file import reading
    from provisioning.database.admin import administration, owned

    settings, who = settings_of(config), named(actor)
    with reading(file) as saved, administration(dsn_file) as connection:
        owned(connection)
        restoring.obstacles(connection, saved.manifest, replace or dry_run)
        saved.verify()
        new = not exists(connection)
        if new:
            _prepared(connection, settings)
        _tell(saved.manifest, connection.info.dbname, new)
        if dry_run:
            click.echo("nothing was changed" + ("" if new or replace else "; without --replace nothing would be"))
            return
        if not yes and not click.confirm("Restore it?", err=True):
            raise SystemExit(1)
        minutes = f"{duration_seconds(settings.database.retention.minute):.0f} seconds"
        restored = restoring.restore(connection, saved, who, minutes)
        for migration in restored.migrations:
            click.echo(f"done: migration {migration}")
        click.echo("restored; counting goes on from there")
        if new:
            from provisioning.database.installing import carry_out

            try:
                carry_out(connection, _prepared(connection, settings), lambda title: click.echo(f"done: {title}"))
            except BaseException:
                click.echo("the rows are there, views and rights are not: run `observatory db install`", err=True)
                raise
    if restored.sources:
        click.echo(
            "What was changed or deleted in the platform's tables since then is not known. This counts it; no counter falls:\n"
            f"  observatory db rebuild {' '.join(restored.sources)}"
        )


def _prepared(connection: Any, settings: Settings) -> Any:
    """What `db install` would do; refuses beforehand what can be refused."""
    from provisioning.database.admin import passwords
    from provisioning.database.installing import prepared

    return prepared(connection, settings, passwords(settings))


def _tell(manifest: Manifest, database: str, new: bool) -> None:
    rows = sum(table.rows for table in manifest.tables.values())
    click.echo(
        f"backup of {manifest.database} as of {manifest.made_at}, version {manifest.version}, PostgreSQL {manifest.server}"
    )
    for name, table in manifest.tables.items():
        if table.rows:
            click.echo(f"  {name}: {table.rows} rows")
    place = (
        "schema analytics is made" if new else "what schema analytics holds is replaced (the audit log is kept, and added to)"
    )
    click.echo(f"{rows} rows go into {database}: {place}")
