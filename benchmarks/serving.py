"""A program that serves a page of so many series, all of them new every 15 seconds: by our server or by prometheus-client's.

Each imports only what is its own, so that neither carries the other.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

import click

from benchmarks.series import SeriesCollector, registry
from contract.data_plane import Exporter, Tls


async def _ours(series: int, port: int, tls: Tls | None) -> None:
    from exporters.access import Access, tls_context
    from exporters.pages import Pages
    from exporters.process import give_scrapes_their_turn, listen
    from exporters.publication import Publication
    from exporters.scheduler import Scheduler
    from exporters.server import Server

    give_scrapes_their_turn()
    collector = SeriesCollector(series)
    publication = Publication((collector,))
    scheduler = Scheduler((collector,), publication.refresh)
    server = Server(Pages(Access(Exporter()), scheduler, publication).answer, tls_context(tls) if tls else None)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    publication.start()
    scheduler.start()
    server.listen(listen(f"127.0.0.1:{port}"))
    await ended.wait()
    await server.close(1.0)
    publication.stop()
    scheduler.stop()


def _theirs(series: int, port: int, tls: Tls | None) -> None:
    from prometheus_client import start_http_server

    certificate, key = (tls.certificate_file, tls.key_file) if tls else (None, None)
    start_http_server(port, "127.0.0.1", registry(series, 1.5), certificate, key)
    threading.Event().wait()


@click.command()
@click.argument("server", type=click.Choice(["ours", "prometheus-client"]))
@click.argument("series", type=int)
@click.argument("port", type=int)
@click.option("--certificate", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path))
def main(server: str, series: int, port: int, certificate: Path | None, key: Path | None) -> None:
    tls = Tls(certificate_file=str(certificate), key_file=str(key)) if certificate and key else None
    if server == "ours":
        asyncio.run(_ours(series, port, tls))
    else:
        _theirs(series, port, tls)


if __name__ == "__main__":
    main()
