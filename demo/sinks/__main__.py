"""`python -m demo.sinks`: the Slack sink, the mail sink and the inbox page in one process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from pathlib import Path

import click
import uvicorn
from starlette.applications import Starlette

from demo.sinks import mail
from demo.sinks.alert_log import AlertLog
from demo.sinks.alertmanager import Alertmanager
from demo.sinks.app import Sinks
from demo.sinks.inbox import Inbox

_FLUSH_SECONDS = 2.0


@click.command()
@click.option("--var", "var", type=click.Path(path_type=Path), default=Path("var"), help="Folder of the local stack's state.")
@click.option("--http-port", default=8025, show_default=True, help="Port of the page and of the webhooks.")
@click.option("--smtp-port", default=1025, show_default=True, help="Port of the mail sink.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--runbooks", type=click.Path(path_type=Path), default=Path("build/runbooks"), help="Folder of built runbooks.")
@click.option(
    "--dsn-file",
    type=click.Path(path_type=Path),
    help="File with the DSN of the alert history [VAR/secrets/postgres_owner_dsn].",
)
@click.option("--alertmanager", help="Address of the Alertmanager to silence; without it there is no page for that.")
def main(
    var: Path, http_port: int, smtp_port: int, host: str, runbooks: Path, dsn_file: Path | None, alertmanager: str | None
) -> None:
    """Take Slack messages (POST /slack), mails (SMTP) and Alertmanager's notifications (POST /alerts), and show them."""
    try:
        inbox = Inbox(var / "inbox" / "messages.jsonl")
        http, smtp = _bind(host, http_port), _bind(host, smtp_port)
    except OSError as error:
        print(f"sinks: {error.filename or host}: {error.strerror}", file=sys.stderr)
        sys.exit(3)
    for number in (signal.SIGTERM, signal.SIGINT):
        # Uvicorn raises the signal again when it has ended; this makes of it an ordinary end with our clean-up.
        signal.signal(number, lambda *_: sys.exit(0))
    hosts = ["127.0.0.1", "localhost"] if host == "127.0.0.1" else ["*"]
    alert_log = AlertLog(dsn_file or var / "secrets" / "postgres_owner_dsn")
    app = Sinks(inbox, alert_log, runbooks, Alertmanager(alertmanager) if alertmanager else None).app(hosts)
    asyncio.run(_serve(app, http, inbox, smtp, alert_log))


def _bind(host: str, port: int) -> socket.socket:
    # With the protocol named, asyncio sends answers without delay; a bare socket leaves 40 ms between head and body.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"port {port}") from None
    return listener


async def _serve(app: Starlette, http: socket.socket, inbox: Inbox, smtp: socket.socket, alert_log: AlertLog) -> None:
    loop = asyncio.get_running_loop()
    writer = asyncio.create_task(alert_log.run())
    mail_server = await loop.create_server(lambda: mail.protocol(inbox), sock=smtp)
    # A browser that keeps its connection open must not hold it up.
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, lifespan="off"))
    try:
        await server.serve(sockets=[http])
    finally:
        mail_server.close()
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writer
        await alert_log.flush(_FLUSH_SECONDS)


if __name__ == "__main__":
    main()
