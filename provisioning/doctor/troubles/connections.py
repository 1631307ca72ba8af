"""Why a source is not reached, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from provisioning.doctor.answers import SourceHealth
from provisioning.findings import Finding, error

_POSTGRES = (
    (r"refused", "no server listens there", "start PostgreSQL, or correct host and port; in a container 127.0.0.1 is itself"),
    (r"translate host name|not known|resolve", "this name has no address here", "correct the host; try `getent hosts NAME`"),
    (r"timeout|timed out|in time", "packets get lost", "open the firewall or security group for this machine and port"),
    (r"password authentication failed", "user or password is wrong",
     "correct the secret, or `ALTER ROLE … PASSWORD …`; `observatory db install` sets those of database.logins"),
    (r"no password supplied", "the server asks for a password and none is given",
     "put it into the connection string, or for Grafana's login into sources.postgres.password_file"),
    (r"database .* does not exist", "there is no database of this name", "correct the end of the connection string: `psql -l`"),
    (r"role .* does not exist", "there is no such login", "correct the user, or let `observatory db install` make its roles"),
    (r"not permitted to log in", "the role is a group", "give it a password in database.logins, and install again"),
    (r"pg_hba", "the server does not let this user in from this machine", "add a line to pg_hba.conf, and reload the server"),
    (r"too many|remaining connection slots", "all connections of the server are taken",
     "raise max_connections, or put a pooler in between"),
    (r"SSL|certificate", "the two do not agree on encryption", "set sslmode as the server wants it"),
    (r"starting up|shutting down|recovery", "the server is not ready", "wait, and look again"),
    (r"connection string", "it cannot be read", "write postgresql://user:password@host:5432/database"),
)  # fmt: skip
_SERVERS = (
    (r"in time", "it hangs, or something between here and there swallows packets", "look at its load, and at the firewall"),
    (r"cannot be reached", "nothing listens there, or the name has no address here", "start it, or correct {key}"),
    (r"refuses the keys", "they are of another project, or were revoked", "make new keys in the project's settings"),
    (r"not as expected|is not", "something else answers there", "correct {key}; a proxy or a login page may be in between"),
    (r"no (public|secret) key", "only one of the two keys is given", "give both"),
)  # fmt: skip
_KEYS = {"Prometheus": "sources.prometheus.url", "Alertmanager": "sources.alertmanager.url", "Langfuse": "LANGFUSE_BASE_URL"}


def troubles(sources: Iterable[SourceHealth]) -> Iterator[Finding]:
    """One for each source that does not answer."""
    for source in sources:
        if source.reachable is False:
            known, key = (_SERVERS, _KEYS[source.name]) if source.name in _KEYS else (_POSTGRES, "sources.postgres")
            cause, remedy = _explained(source.message, known)
            said = f"{source.message}: {cause}" if cause else source.message
            where = f"{source.name}, {source.address}"
            yield error(where, said, (remedy or "`{key}` names it").format(key=key), "doctor/connections")


def _explained(message: str, known: Iterable[tuple[str, str, str]]) -> tuple[str, str]:
    return next(((cause, remedy) for pattern, cause, remedy in known if re.search(pattern, message)), ("", ""))
