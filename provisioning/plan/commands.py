"""`observatory plan`, `apply`, `adopt` and `release`."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provisioning.findings import Finding, InputError, as_error, has_errors
from provisioning.options import config_option, format_option
from provisioning.plan.target import Moved, Refused, Target

if TYPE_CHECKING:
    from contract.settings import Settings
    from provisioning.plan.apply import Outcome
    from provisioning.plan.changes import Choice, Plan

NOTHING, FINDINGS, UNREACHABLE, CHANGES, DESTRUCTIVE = 0, 1, 3, 10, 11

_only = click.option("--only", multiple=True, metavar="TARGET", help="Only this target, such as grafana; may be repeated.")
_overwrite = click.option("--overwrite-edits", is_flag=True, help="Replace what was edited on the servers, too.")


@click.command()
@config_option
@_only
@_overwrite
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Keep the plan in this file, for `apply`.")
@format_option("text", "json", "markdown")
def plan(config: Path | None, only: tuple[str, ...], overwrite_edits: bool, out: Path | None, form: str) -> None:
    """Say what an apply would change on the servers.

    And who would be told differently. Changes nothing.

    \b
    observatory plan
    observatory plan --only grafana
    observatory plan --out plan.json --format markdown > comment.md

    Exit codes: 0 nothing differs, 10 something does, 11 something would be lost; 2 wrong input, 3 a server does not answer.
    """
    from provisioning.plan import documents

    made, _, _ = _planned(config, only, overwrite_edits)
    if out:
        documents.save(made, out)
    _say(_report(made, form))
    raise SystemExit(DESTRUCTIVE if made.destructive else CHANGES if made.todo or made.left else NOTHING)


@click.command()
@config_option
@_only
@_overwrite
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and what only doing it can show. Changes nothing.")
@format_option("text", "json")
def apply(
    config: Path | None,
    only: tuple[str, ...],
    overwrite_edits: bool,
    file: Path | None,
    yes: bool,
    dry_run: bool,
    form: str,
) -> None:
    """Do exactly what the plan says.

    The one in FILE, or the one that is shown and agreed to. Nothing is changed when anything has moved since the plan was made.
    An apply that was interrupted is taken up by the next.

    \b
    observatory apply
    observatory apply plan.json
    observatory apply --yes --only prometheus

    Exit codes: 0 all is as wanted, 1 something is not, 2 wrong input, 3 a server does not answer.
    """
    from provisioning.plan import documents, reports

    saved = documents.load(file) if file else None
    if saved and (only or overwrite_edits):
        raise InputError("error: a plan's file says itself what is applied; leave --only and --overwrite-edits away")
    if saved:
        only, overwrite_edits = tuple(saved.seen), saved.overwrite_edits
    if not (saved or yes or dry_run or (sys.stdin.isatty() and form == "text")):
        raise InputError("error: there is nobody to ask; give --yes, or the file of a plan that somebody has looked at")
    with _kindly():
        made, targets, choice = _planned(config, only, overwrite_edits)
        if saved:
            saved.check(made)
        if dry_run:
            _say(reports.dry_run_text(made) if form == "text" else _report(made, form))
            raise SystemExit(FINDINGS if made.left else NOTHING)
        if form == "text" and not saved:
            _say(_report(made, form))
        if made.todo and not (saved or yes):
            made = _agreed(made, targets, choice)
        outcome = _applied(made, targets, choice, form)
    if outcome.silent:
        raise SystemExit(UNREACHABLE)
    if made.left or not outcome.complete:
        raise SystemExit(FINDINGS)


@click.command()
@config_option
@_only
@click.argument("kind")
@click.argument("name")
def adopt(config: Path | None, only: tuple[str, ...], kind: str, name: str) -> None:
    """Make an object ours that was made by hand.

    It has to be one that the configuration wants; what is in it stays until an apply. KIND and NAME are as `plan` says them.

    \b
    observatory adopt dashboard observatory-overview
    observatory adopt "alertmanager configuration" alertmanager.yml --only alertmanager
    """
    from provisioning.plan import ownership

    _own(ownership.adopt, config, only, kind, name)


@click.command()
@config_option
@_only
@click.argument("kind")
@click.argument("name")
def release(config: Path | None, only: tuple[str, ...], kind: str, name: str) -> None:
    """Let an object go: it stays, and is not ours.

    Apply leaves it alone from now on. KIND and NAME are as `plan` says them.

    \b
    observatory release dashboard observatory-overview
    """
    from provisioning.plan import ownership

    _own(ownership.release, config, only, kind, name)


def _own(act: Callable[..., Any], config: Path | None, only: tuple[str, ...], kind: str, name: str) -> None:
    from provisioning.plan.objects import Key
    from provisioning.targets import catalogue

    settings = _settings(config)
    with _kindly():
        taken = act(catalogue.targets(settings, only), Key(kind, name), settings.plan.owner)
    _tell(taken.findings)
    if has_errors(taken.findings):
        raise SystemExit(FINDINGS)
    _say(taken.said)


def _settings(path: Path | None) -> Settings:
    from provisioning.cli import _settings as settings

    return settings(path)


def _planned(config: Path | None, only: Sequence[str], overwrite_edits: bool) -> tuple[Plan, tuple[Target, ...], Choice]:
    from provisioning.plan import changes, paging
    from provisioning.targets import catalogue

    settings = _settings(config)
    choice = changes.Choice(settings.plan.owner, settings.plan.protects, overwrite_edits)
    targets = catalogue.targets(settings, only)
    made = changes.make(targets, choice)
    return replace(made, told=paging.of_plan(made)), targets, choice


def _agreed(made: Plan, targets: Sequence[Target], choice: Choice) -> Plan:
    """The plan once more, after somebody has looked at it and said yes. Raises Moved when it is another one by then."""
    from provisioning.plan import changes, documents

    lost = " Something is lost by it." if made.destructive else ""
    if not click.confirm(f"\nApply this to {', '.join(target.name for target in targets)}?{lost}"):
        _say("nothing was changed")
        raise SystemExit(FINDINGS)
    again = changes.make(targets, choice)
    documents.check_same(made.seen, again.seen)
    return again


def _applied(made: Plan, targets: Sequence[Target], choice: Choice, form: str) -> Outcome:
    from provisioning.plan import apply as applying
    from provisioning.plan import changes, documents, reports

    outcome = applying.carry_out(made, lambda change: _say(reports.done_text(change)) if form == "text" else None)
    if outcome.complete and outcome.done:
        outcome.findings += applying.still_differing(outcome, changes.make(targets, choice))
    if form == "json":
        _say(json.dumps(documents.of_outcome(outcome, made.left), indent=2, sort_keys=True))
    else:
        _say(reports.outcome_text(made, outcome))
    _tell(outcome.findings)
    if outcome.silent:
        _say(as_error(outcome.silent), err=True)
    return outcome


def _report(made: Plan, form: str) -> str:
    from provisioning.plan import documents, markdown, reports

    if form == "json":
        return json.dumps(documents.of_plan(made), indent=2, sort_keys=True)
    return markdown.plan_markdown(made).rstrip() if form == "markdown" else reports.plan_text(made)


@contextmanager
def _kindly() -> Iterator[None]:
    """What servers object to ends the command with a text; an end that somebody asks for is an interruption."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except Moved as problem:
        _say(f"error: {problem}\n    run `observatory plan` again", err=True)
        raise SystemExit(FINDINGS) from None
    except Refused as problem:
        _say(f"error: {problem}", err=True)
        raise SystemExit(FINDINGS) from None
    except KeyboardInterrupt:
        _say("interrupted: what is done stays, and the next apply does the rest", err=True)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(findings: Sequence[Finding]) -> None:
    for finding in findings:
        _say(str(finding), err=True)


def _say(text: str, err: bool = False) -> None:
    """Print what may hold words of a server that are not valid text."""
    click.echo(text.encode(errors="replace").decode(), err=err)
