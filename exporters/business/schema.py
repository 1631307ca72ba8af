"""Whether schema `analytics` can be counted into, and if not, what a person has to do."""

from __future__ import annotations

from exporters.database import migrations
from exporters.database.sessions import Connection

_FILES = migrations.available()
_SERVER = "SELECT pg_is_in_recovery(), current_database(), to_regclass('analytics.sources') IS NOT NULL"


def schema_problem(connection: Connection, may_be_standby: bool = False) -> str:
    """One sentence with the command to run, or "" when all is as this program wants it."""
    ((standby, database, installed),) = connection.execute(_SERVER).fetchall()
    if standby and not may_be_standby:
        return "the server is a standby, where nothing can be counted; let the connection that writes lead to the primary"
    try:
        if not migrations.exists(connection) or not installed:
            return f"the database {database} has no schema analytics; run `observatory db install`"
        pending = migrations.pending(connection, _FILES)
    except migrations.MigrationRefused as refused:
        return str(refused)
    if pending:
        return f"schema analytics of the database {database} lacks {pending[0].file}; run `observatory db upgrade`"
    return ""
