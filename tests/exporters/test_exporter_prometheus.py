"""What a real Prometheus stores of the exporter's page."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from contract.catalogue import of_source
from contract.metrics import Metric, MetricType, Source
from exporters.exposition import Renderer, exposition
from exporters.negotiation import OPENMETRICS, gzip_accepted, negotiate
from exporters.process import listen
from exporters.server import Request, Response, Server
from exporters.snapshot import Distribution, Figure, Sample

pytestmark = pytest.mark.integration

OURS = list(of_source(Source.POSTGRES, Source.LANGFUSE, Source.EXPORTER))


def figure(declared: Metric) -> Figure:
    labels = tuple(f"{label} x" for label in declared.labels)
    if declared.type is MetricType.HISTOGRAM:
        return Distribution(declared, labels, (2,) + (0,) * len(declared.buckets), 2.0)
    return Sample(declared, labels, 2.0)


class Page:
    """A page with every metric of ours on the exporter's own server; notes what Prometheus asked for."""

    def __init__(self) -> None:
        self.forms = set[tuple[str, bool]]()
        self.families = Renderer().families(map(figure, OURS))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()

    async def _serve(self) -> None:
        server, self._end = Server(self._answer), asyncio.Event()
        server.listen(listen(self.address))
        await self._end.wait()
        await server.close(1.0)

    def _answer(self, request: Request) -> Response:
        content_type = negotiate(request.headers["accept"])
        compressed = gzip_accepted(request.headers["accept-encoding"])
        self.forms.add((content_type.split(";")[0], compressed))
        end = b"# EOF\n" if content_type == OPENMETRICS else b""
        body = gzip.compress(exposition(self.families, content_type) + end)
        return Response(body, content_type, headers=(("Content-Encoding", "gzip"),))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def prometheus(prometheus_tools: Any, tmp_path: Path) -> Iterator[tuple[str, Page]]:
    page = Page()
    job = {
        "job_name": "exporter",
        "honor_labels": True,
        "scrape_interval": "1s",
        "static_configs": [{"targets": [page.address]}],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            str(prometheus_tools.prometheus),
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}", page
    finally:
        process.kill()
        process.wait()
        page.close()


def ask(url: str, path: str, **parameters: str) -> Any:
    return requests.get(url + path, params=parameters, timeout=60).json()["data"]


def test_every_metric_arrives_with_its_own_labels(prometheus: tuple[str, Page]) -> None:
    url, page = prometheus
    end = time.monotonic() + 60
    while True:
        try:
            ready = requests.get(url + "/-/ready", timeout=60).status_code == 200
            if ready and ask(url, "/api/v1/query", query='up{job="exporter"} == 1')["result"]:
                break
        except requests.ConnectionError:
            pass
        assert time.monotonic() < end, "Prometheus has not scraped the page"
        time.sleep(0.1)
    found = ask(url, "/api/v1/query", query='{job="exporter",__name__=~"platform_.+|langfuse_.+|exporter_.+"}')["result"]
    stored = {result["metric"].pop("__name__"): result["metric"] for result in found}
    assert stored.keys() == {name for declared in OURS for name in declared.series_names}
    for declared in OURS:
        for series in declared.series_names:
            own = {name: value for name, value in stored[series].items() if name not in ("job", "instance", "le")}
            assert own == {label: f"{label} x" for label in declared.labels}, "no label was renamed or added"
    assert all(compressed for _, compressed in page.forms)
