"""The command `observatory api`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioning.api.asking import ask
from provisioning.database.options import CONFIG, FORM, settings_of
from provisioning.findings import InputError, Unreachable

if TYPE_CHECKING:
    from contract.settings import Settings

ROLES = ("admin", "business", "self")


@click.group(invoke_without_command=True)
@CONFIG
@click.pass_context
def api(ctx: click.Context, config: Path | None) -> None:
    """Serve what dashboards show as JSON and CSV, until a signal ends it.

    docs/api.md lists every address; /openapi.json is the same for programs.

    \b
    observatory api
    observatory api --config site.yaml
    observatory api token create reporting --role business
    observatory api ask costs.models --days 30
    """
    if ctx.invoked_subcommand is not None:
        return
    _serve(settings_of(config))


def _serve(settings: Settings) -> None:
    import logging

    from api import process
    from api.database import LOG
    from api.tokens import TokensRefused
    from exporters.logs import KeyValueFormatter
    from exporters.process import listen
    from provisioning.api.setup import setup
    from provisioning.short_lived import long_lived

    wanted = setup(settings)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValueFormatter())
    for logger, level in ((LOG, logging.INFO), (logging.getLogger("uvicorn.error"), logging.ERROR)):
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    try:
        listening = listen(settings.api.listen)
    except ValueError as problem:
        raise InputError(f"error: api.listen: {problem}") from None
    except OSError as problem:
        raise Unreachable(f"error: cannot listen on {settings.api.listen}: {os.strerror(problem.errno or 0)}") from None
    try:
        LOG.info("listening on %s", settings.api.listen)
        long_lived()
        process.serve(wanted, listening)
    except TokensRefused as problem:
        raise InputError(f"error: {problem}") from None
    finally:
        listening.close()


api.add_command(ask)


@api.group()
def token() -> None:
    """Tokens that callers show. The file keeps their digests; a token itself is shown once, when it is made.

    \b
    observatory api token create reporting --role business
    observatory api token create anna --role self --user-id 4711
    observatory api token list
    observatory api token remove reporting
    """


@token.command("create")
@CONFIG
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What its caller sees.")
@click.option("--user-key", help="With role self: whose rows, by the key that dashboards show.")
@click.option("--user-id", help="With role self, instead: the id in the platform's table of users.")
def create(config: Path | None, name: str, role: str, user_key: str | None, user_id: str | None) -> None:
    """Make a token and print it: nobody can print it again."""
    from api import tokens
    from api.catalogue.endpoints import Role

    settings = settings_of(config)
    path = _file(settings)
    if user_id is not None:
        if user_key is not None:
            raise InputError("error: --user-key and --user-id say the same; give one of them")
        user_key = _key_of(settings, user_id)
    try:
        shown, made = tokens.made(tokens.Caller(name, Role(role), user_key or ""))
        with tokens.changed(path) as known:
            if any(one.caller.name == name for one in known):
                raise InputError(f"error: a token is called {name!r} already; remove it first, or choose another name")
            known.append(made)
    except tokens.TokensRefused as problem:
        raise InputError(f"error: {problem}") from None
    click.echo(shown)
    click.echo(f"{name} has the role {role} from now on; the token is not kept, and not shown again", err=True)


@token.command("list")
@CONFIG
@FORM
def list_(config: Path | None, form: str) -> None:
    """Who has a token, and in which role."""
    import json

    from api import tokens

    try:
        callers = [one.caller for one in tokens.read(_file(settings_of(config)))]
    except tokens.TokensRefused as problem:
        raise InputError(f"error: {problem}") from None
    if form == "json":
        rows = [{"name": one.name, "role": one.role, **({"user_key": one.user_key} if one.user_key else {})} for one in callers]
        click.echo(json.dumps(rows, indent=2))
    else:
        click.echo("\n".join(f"{one.name}  {one.role}  {one.user_key}".rstrip() for one in callers) or "nobody has a token")


@token.command("remove")
@CONFIG
@click.argument("name")
def remove(config: Path | None, name: str) -> None:
    """Take a token back: from the next request on it is unknown, and its streams end."""
    from api import tokens

    path = _file(settings_of(config))
    try:
        with tokens.changed(path) as known:
            gone = [one for one in known if one.caller.name == name]
            if not gone:
                raise InputError(f"error: no token is called {name!r}; `observatory api token list` says who has one")
            known.remove(*gone)
    except tokens.TokensRefused as problem:
        raise InputError(f"error: {problem}") from None
    click.echo(f"{name} has no token any more")


def _file(settings: Settings) -> Path:
    if settings.api.tokens_file is None:
        raise InputError("error: api.tokens_file in the configuration says where tokens are kept; it is not set")
    return Path(settings.api.tokens_file)


def _key_of(settings: Settings, user_id: str) -> str:
    from exporters.credentials import CredentialError, Credentials
    from exporters.database.user_keys import UserKeyError, checked_key, pseudonym

    try:
        key = Credentials(settings).user_key()
        if key is None:
            raise InputError("error: --user-id needs the user key: set OBSERVATORY_USER_KEY, or database.user_key_file")
        return pseudonym(checked_key(key), user_id)
    except (CredentialError, UserKeyError) as problem:
        raise InputError(f"error: {problem}") from None
