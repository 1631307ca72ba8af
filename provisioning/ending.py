"""How every command ends: with an exit code and, when something is wrong, a text for people."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from provisioning.findings import InputError, Unreachable, as_error

FINE, FINDINGS, WRONG_INPUT, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes."""
NOBODY = "nobody is there to be asked: say --yes, or --dry-run to see what would change"
"""What is said where a question finds no answer."""


def say(text: str, err: bool = False) -> None:
    """Print what may hold words of a server, or a file's name, that are not valid text."""
    click.echo(text.encode(errors="replace").decode(), err=err)


HELP = ["-h", "--help"]


@contextmanager
def _ended_as_by_hand() -> Iterator[None]:
    """Lets SIGTERM end a command as Ctrl-C does: what it has started ends with it, and what it keeps for a while is removed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield  # a command within a command, or within a program that knows its own end
        return
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Commands(click.Group):
    """Ends every command with an exit code and a text for people, never with a traceback for a user's mistake."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _ended_as_by_hand():
                return super().invoke(ctx)
        except InputError as problem:
            say(as_error(problem), err=True)
            ctx.exit(WRONG_INPUT)
        except Unreachable as problem:
            say(as_error(problem), err=True)
            ctx.exit(UNREACHABLE)
        except BrokenPipeError:  # the reader, `head` for example, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(FINE)
        except ImportError as problem:
            from provisioning.installed import import_failed

            say(import_failed(problem), err=True)
            ctx.exit(WRONG_INPUT)
        except OSError as problem:
            place = f": {problem.filename}" if problem.filename else ""
            say(f"error: {problem.strerror or problem}{place}", err=True)
            ctx.exit(WRONG_INPUT)
        except UnicodeEncodeError:
            say("error: a word of the command is no valid text; write it in UTF-8", err=True)
            ctx.exit(WRONG_INPUT)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except click.Abort as problem:  # click's word for it, at a question or where a command stands in a module of its own
            if isinstance(problem.__context__, EOFError):
                say(f"error: {NOBODY}", err=True)
                ctx.exit(WRONG_INPUT)
            if isinstance(problem.__context__, KeyboardInterrupt):
                ctx.exit(INTERRUPTED)
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  in the order of use
        return list(self.commands)
