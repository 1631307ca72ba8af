"""What a real Prometheus stores of the exporter's page."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from contract.catalogue import of_source
from contract.metrics import MetricType, Source
from exporters.exposition import Renderer, gzip_accepted, negotiate
from exporters.snapshot import Sample

pytestmark = pytest.mark.integration

OURS = [
    declared
    for declared in of_source(Source.POSTGRES, Source.LANGFUSE, Source.EXPORTER)
    if declared.type is not MetricType.HISTOGRAM
]


class Page:
    """The exporter's page in a small server; notes what Prometheus asked for."""

    def __init__(self) -> None:
        samples = (Sample(declared, tuple(f"{label} x" for label in declared.labels), 2.0) for declared in OURS)
        page, self.forms = Renderer().page(samples), set[tuple[str, bool]]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content_type = negotiate(self.headers["Accept"])
                compressed = gzip_accepted(self.headers["Accept-Encoding"])
                outer.forms.add((content_type.split(";")[0], compressed))
                content = page.body(content_type, compressed)
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(content)))
                if compressed:
                    self.send_header("Content-Encoding", "gzip")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def prometheus(prometheus_tools: Any, tmp_path: Path) -> Iterator[tuple[str, Page]]:
    page = Page()
    job = {
        "job_name": "exporter",
        "honor_labels": True,
        "scrape_interval": "1s",
        "static_configs": [{"targets": [f"127.0.0.1:{page.server.server_port}"]}],
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
        page.server.shutdown()
        page.server.server_close()


def ask(url: str, path: str, **parameters: str) -> Any:
    return requests.get(url + path, params=parameters, timeout=5).json()["data"]


def test_every_metric_arrives_with_its_own_labels(prometheus: tuple[str, Page]) -> None:
    url, page = prometheus
    end = time.monotonic() + 20
    while True:
        try:
            ready = requests.get(url + "/-/ready", timeout=5).status_code == 200
            if ready and ask(url, "/api/v1/query", query='up{job="exporter"} == 1')["result"]:
                break
        except requests.ConnectionError:
            pass
        assert time.monotonic() < end, "Prometheus has not scraped the page"
        time.sleep(0.1)
    found = ask(url, "/api/v1/query", query='{job="exporter",__name__=~"platform_.+|langfuse_.+|exporter_.+"}')["result"]
    stored = {result["metric"].pop("__name__"): result["metric"] for result in found}
    assert stored.keys() == {declared.name for declared in OURS}
    for declared in OURS:
        own = {name: value for name, value in stored[declared.name].items() if name not in ("job", "instance")}
        assert own == {label: f"{label} x" for label in declared.labels}, "no label was renamed or added"
    assert all(compressed for _, compressed in page.forms)
