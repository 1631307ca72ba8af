"""The command `report`. Its context's object loads the settings: a path, or None, gives them."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click
from click.core import ParameterSource

from contract.values import duration_seconds
from provisioning.findings import InputError, Unreachable
from provisioning.interpolation import Span
from provisioning.report.model import Report

Form = Literal["html", "pdf", "xlsx", "csv", "json"]
_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_STREAMS = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))
"""Where names stand for what is open already: a pipe, or a file that others write to as well."""
_ADDRESS = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="OBSERVATORY_CONFIG",
    help="Configuration file. Without it: that of the running local stack, else observatory.yaml, else the defaults.",
    show_envvar=True,
)
@click.option("--tab", required=True, help="Which tab, by its key: overview, performance, …")
@click.option("--panel", default="", help="Only one panel, by its name.")
@click.option("--range", "length", default="7d", show_default=True, help="How far back: 24h, 7d, 30d.")
@click.option("--until", default="", metavar="TIME", help="Where the range ends, such as 2026-01-31T00:00:00Z.  [now]")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="Set a filter; may be given several times.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "pdf", "xlsx", "csv", "json"]),
    default="html",
    show_default=True,
    help="CSV is a ZIP with a file for each table, or one file with --panel.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file.  [TAB-report.FORMAT]")
@click.option("--mail", "to", multiple=True, metavar="ADDRESS", help="Send it, too; may be given several times.")
@click.option("--schedule", default="", metavar="WHEN", help="Print what makes it by itself: daily@07:00, weekly:monday@07:00.")
@click.pass_context
def report(
    ctx: click.Context,
    config: Path | None,
    tab: str,
    panel: str,
    length: str,
    until: str,
    variables: tuple[str, ...],
    form: Form,
    out: Path | None,
    to: tuple[str, ...],
    schedule: str,
) -> None:
    """Write a tab as a file: panels with figures and pictures, what changed, alerts, service levels, sources.

    \b
    observatory report --tab performance --range 7d --format pdf
    observatory report --tab cost --range 30d --var environment=production --format xlsx --out cost.xlsx
    observatory report --tab overview --format csv --panel users
    observatory report --tab overview --format pdf --mail team@example.com --schedule weekly:monday@07:00
    """  # fmt: skip
    span, chosen = _span(length, until), [_variable(text) for text in variables]
    for address in to:
        if not _ADDRESS.fullmatch(address):
            raise InputError(f"error: --mail {address}: write one address, such as team@example.com")
    if out and not out.absolute().parent.is_dir():
        raise InputError(f"error: --out {out}: there is no folder {out.parent}; create it, or name another")
    printed = _scheduled(schedule, ctx, tab) if schedule else ""
    from provisioning.report import document, mail, record

    settings = ctx.obj(config)
    if schedule:
        document.refuse(settings, tab, chosen, panel)  # nobody sees what a timer says
        click.echo(printed)
        return
    made = document.make(settings, tab, span, chosen, panel, pictures=form in ("html", "pdf"))
    ending, body = _written(made, form, bool(panel))
    file = out or Path(f"{tab}-report.{ending}")
    _keep(file, body)
    aside = _goes_on(file)  # whoever reads the report there reads nothing else
    click.echo(f"{file}: {len(made.sections)} sections, {len(body)} bytes", err=aside)
    for remark in made.remarks:
        click.echo(remark, err=True)
    refused = mail.send(settings.notifications.smtp, to, made, file.name, body) if to else {}
    if sent := [address for address in to if address not in refused]:
        click.echo(f"sent to {', '.join(sent)}", err=aside)
    for remark in record.exported(made, form, sent):
        click.echo(remark, err=True)
    if refused:
        said = "; ".join(f"{address}: {words}" for address, words in refused.items())
        raise Unreachable(f"error: the mail server {settings.notifications.smtp.smarthost} refuses {said}")
    if made.unread:
        raise Unreachable("error: no panel could be read; the file says of each why")


def _span(length: str, until: str) -> Span:
    try:
        seconds = duration_seconds(length)
    except ValueError:
        seconds = 0
    if not 60 <= seconds <= 366 * 86400:
        raise InputError(f"error: --range {length}: write a time from 1m to 366d, such as 24h, 7d or 30d")
    try:
        named = datetime.fromisoformat(until) if until else datetime.now(UTC)
    except ValueError:
        raise InputError(f"error: --until {until}: write a time such as 2026-01-31T00:00:00Z") from None
    end = int((named if named.tzinfo else named.replace(tzinfo=UTC)).timestamp())
    if not 2 * seconds <= end <= _LATEST:
        raise InputError(f"error: --until {until}: write a time between 1970 and 2199")
    return Span(end - int(seconds), end, max(15, int(seconds) // 1000))


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"error: --var {text}: write NAME=VALUE, such as environment=production")
    return name, value


def _written(made: Report, form: Form, one_panel: bool) -> tuple[str, bytes]:
    """The ending of the file's name, and what it holds."""
    from provisioning.report import machine, page, sheets

    match form:
        case "json":
            return "json", machine.as_json(made).encode()
        case "csv":
            alone = sheets.single([table for _, table in made.tables]) if one_panel and made.tables else None
            return ("csv", alone) if alone is not None else ("zip", sheets.zipped(made))
        case "xlsx":
            from provisioning.report import book

            return "xlsx", book.xlsx(made)
        case "html":
            return "html", page.html(made).encode()
        case "pdf":
            from provisioning.report import paper

            return "pdf", paper.pdf(page.html(made))


def _keep(file: Path, body: bytes) -> None:
    """Written whole or not at all, for its owner's eyes: what stands in a report is not for everybody. A pipe, or /dev/stdout,
    gets it after what it has already, and a link stays one."""
    if _goes_on(file):
        with file.open("ab") as stream:
            stream.write(body)
        return
    file = Path(os.path.realpath(file))
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(body)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _goes_on(file: Path) -> bool:
    """Whether what is written there goes on to somebody, as to /dev/stdout, whatever that leads to."""
    return file.exists() and (not file.is_file() or file.absolute().parent in _STREAMS)


def _scheduled(when: str, ctx: click.Context, tab: str) -> str:
    from provisioning.report import schedule

    program = Path(sys.executable).with_name("observatory")
    command: Sequence[str] = [str(program)] if program.exists() else [sys.executable, "-m", "provisioning.cli"]
    return schedule.printed(schedule.times(when), [*command, "report", *_again(ctx)], Path.cwd(), tab)


def _again(ctx: click.Context) -> list[str]:
    """The options as they were given, without the one that asks for a schedule. Timers have another environment."""
    told = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    words: list[str] = []
    for option in ctx.command.params:
        source = ctx.get_parameter_source(option.name or "")
        if option.name == "schedule" or source not in told:
            continue
        given = ctx.params[option.name or ""]
        for value in given if isinstance(given, tuple) else (given,):
            words += [option.opts[0], str(value)]
    return words
