"""The page of silences, in front of a real Alertmanager and in a real browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from test_sinks import answers, eventually, free_port

from provisioning import unpacked

LABELS = {"alertname": "AgentErrors", "environment": "production", "agent": 'a & <b>"b"</b>'}
ORDER = {"matchers": [{"name": "alertname", "value": "Quiet"}], "hours": 2, "author": " Ada ", "comment": "deploying"}


@dataclass
class Page:
    url: str  # of the page
    alertmanager: str

    @property
    def own(self) -> dict[str, str]:
        """What a browser sends along with a change from this page."""
        return {"Origin": self.url.removesuffix("/alertmanager/"), "Sec-Fetch-Site": "same-origin"}

    def post(self, order: object, headers: dict[str, str] | None = None) -> requests.Response:
        return requests.post(f"{self.url}silences", json=order, headers=headers, timeout=60)

    def known(self) -> list[dict[str, Any]]:
        """Silences that Alertmanager itself tells of."""
        found: list[dict[str, Any]] = requests.get(f"{self.alertmanager}/api/v2/silences", timeout=60).json()
        return found


def sinks(folder: Path, alertmanager: str) -> tuple[subprocess.Popen[bytes], str]:
    http = free_port()
    options = ["--var", str(folder), "--http-port", str(http), "--smtp-port", str(free_port()), "--alertmanager", alertmanager]
    process = subprocess.Popen([sys.executable, "-m", "demo.sinks", *options])
    return process, f"http://127.0.0.1:{http}"


def ready(alertmanager: str) -> bool:
    try:
        return requests.get(f"{alertmanager}/-/ready", timeout=60).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, prometheus_tools: Any) -> Iterator[Page]:
    folder: Path = tmp_path_factory.mktemp("silences")
    (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    url = f"http://127.0.0.1:{free_port()}"
    program = unpacked.alertmanager(prometheus_tools.alertmanager, folder / "program")
    command = [
        str(program.path),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    with (folder / "log").open("w") as log:
        alertmanager = subprocess.Popen(command, stdout=log, stderr=log, cwd=program.folder)
    process, address = sinks(folder, url)
    try:
        eventually(lambda: answers(address) and ready(url))
        requests.post(f"{url}/api/v2/alerts", json=[{"labels": LABELS}], timeout=60).raise_for_status()
        yield Page(f"{address}/alertmanager/", url)
    finally:
        for each in (process, alertmanager):
            each.terminate()
            each.wait(60)


def test_a_silence_reaches_alertmanager_and_ends(page: Page) -> None:
    before = {silence["id"] for silence in page.known()}
    answer = page.post(ORDER, page.own)
    assert answer.status_code == 201, answer.text
    (silence,) = (silence for silence in page.known() if silence["id"] not in before)
    assert silence["id"] == answer.json()["id"]
    assert silence["matchers"] == [{"name": "alertname", "value": "Quiet", "isEqual": True, "isRegex": False}]
    assert (silence["createdBy"], silence["comment"], silence["status"]["state"]) == ("Ada", "deploying", "active")
    lasts = datetime.fromisoformat(silence["endsAt"]) - datetime.fromisoformat(silence["startsAt"])
    assert abs(lasts - timedelta(hours=2)) < timedelta(seconds=5)
    state = requests.get(f"{page.url}state", timeout=60).json()
    assert silence["id"] in {shown["id"] for shown in state["silences"]}
    assert [alert["labels"] for alert in state["alerts"]] == [LABELS]

    ended = requests.delete(f"{page.url}silences/{silence['id']}", headers=page.own, timeout=60)
    assert ended.status_code == 204, ended.text
    state = requests.get(f"{page.url}state", timeout=60).json()
    assert silence["id"] not in {shown["id"] for shown in state["silences"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"matchers": []}, "matchers: "),
        ({"matchers": [{"name": "not a label", "value": "x"}]}, "matchers.0.name: "),
        ({"matchers": [{"name": "a", "value": "x", "isNice": True}]}, "matchers.0.isNice: "),
        ({"hours": 3}, "hours: "),
        ({"author": "  "}, "author: "),
        ({"comment": ""}, "comment: "),
        # Alertmanager's own refusals come through in its own words.
        ({"matchers": [{"name": "a", "value": ""}]}, "matcher"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, "error parsing regexp"),
    ],
)
def test_a_mistake_is_refused_in_words(page: Page, change: dict[str, Any], words: str) -> None:
    before = page.known()
    answer = page.post(ORDER | change, page.own)
    assert answer.status_code == 400
    assert words in answer.text
    assert page.known() == before


@pytest.mark.parametrize(
    "foreign",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
def test_other_sites_cannot_silence(page: Page, foreign: dict[str, str]) -> None:
    kept = page.post(ORDER).json()["id"]
    before = page.known()
    assert page.post(ORDER, page.own | foreign).status_code == 403
    assert requests.delete(f"{page.url}silences/{kept}", headers=page.own | foreign, timeout=60).status_code == 403
    assert page.known() == before
    policy = requests.get(page.url, timeout=60).headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy and "frame-ancestors 'none'" in policy


def test_what_is_unknown_or_too_long_is_refused(page: Page) -> None:
    unknown = requests.delete(f"{page.url}silences/c0ffee00-0000-4000-8000-000000000000", headers=page.own, timeout=60)
    assert unknown.status_code == 404 and "not found" in unknown.text
    assert requests.delete(f"{page.url}silences/..%2F..%2Fstatus", headers=page.own, timeout=60).status_code == 404
    assert page.post(ORDER | {"comment": "x" * 70_000}, page.own).status_code == 413


def test_an_alertmanager_that_is_away_is_said_so(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    process, address = sinks(tmp_path, nobody)
    try:
        eventually(lambda: answers(address))
        for answer in (
            requests.get(f"{address}/alertmanager/state", timeout=60),
            requests.post(f"{address}/alertmanager/silences", json=ORDER, timeout=60),
        ):
            assert (answer.status_code, answer.text) == (502, f"Alertmanager does not answer at {nobody}/api/v2")
        assert 'href="/alertmanager/"' in requests.get(address, timeout=60).text
    finally:
        process.terminate()
        assert process.wait(10) == 0


def in_browser(address: str, profile: Path) -> str:
    """The page as a browser has it once its scripts have run."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    browser = next((found for name in names if name and (found := shutil.which(name))), None)
    assert browser, "Chromium is missing; scripts/browser.sh installs it"
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--virtual-time-budget=2000"]
    shown = subprocess.run([browser, *options, "--dump-dom", address], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def test_the_link_of_a_message_fills_the_form(page: Page, tmp_path: Path) -> None:
    matchers = ",".join(f"{name}={json.dumps(value)}" for name, value in LABELS.items())
    dom = in_browser(f"{page.url}#/silences/new?filter={quote(f'{{{matchers}}}', safe='')}", tmp_path)
    form, alerts = dom.split("Firing alerts")
    assert '<form id="silence" class="card">' in form, "the form is shown"
    for label in ('alertname="AgentErrors"', 'environment="production"', r'agent="a &amp; &lt;b&gt;\"b\"&lt;/b&gt;"'):
        assert label in form
    assert "<b>AgentErrors</b>" in alerts and 'href="#/silences/new?filter=' in alerts
    assert 'id="trouble" role="status" hidden' in form
