"""What a scrape costs: alone, many at once, and beside clients that hold the server up. Ours and prometheus-client's server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.measure import Bar, Measure, p99, percentile
from benchmarks.program import Program, ProgramError, started
from benchmarks.run import Run, free_port
from benchmarks.scraping import abandoned, at_once, one_after_the_other, scrape, silent_clients

_P99 = {10_000: Bar(3.0), 100_000: Bar(5.0)}
_AT_ONCE, _SILENT, _ABANDONED = 50, 20, 50
_PAUSE = 0.1
"""Seconds between scrapes: so that they meet the moments, too, at which the page is made anew."""

_GIVEN_UP = 5.0
"""Seconds after which a scrape that a silent client holds up is given up."""


def measure(run: Run) -> Iterator[Measure]:
    """Milliseconds from connecting to the last byte of the compressed text."""
    for series in run.scale.series:
        with serving("prometheus-client", series, run.folder) as peer:
            theirs = one_after_the_other(peer.url, run.scale.repeat)
            theirs_at_once = at_once(peer.url, 4 if series > 10_000 else _AT_ONCE)
        with serving("ours", series, run.folder) as ours:
            alone = one_after_the_other(ours.url, run.scale.scrapes, _PAUSE)
            together = [max(at_once(ours.url, _AT_ONCE)) for _ in range(run.scale.repeat)]
        against = "prometheus-client"
        what = f"scrape of {series:,} series, p99"
        yield p99(what, alone, bar=_P99.get(series), peer=percentile(theirs, 0.99), against=against)
        what = f"slowest of {_AT_ONCE} scrapes at once, {series:,} series"
        if len(theirs_at_once) < _AT_ONCE:
            against += f", {len(theirs_at_once)} at once"
        yield Measure(what, max(together), "ms", Bar(50.0), max(theirs_at_once), against, (min(together), max(together)))
    yield from _held_up(run)


def _held_up(run: Run) -> Iterator[Measure]:
    series = run.scale.series[0]
    certificate, key = _certificate(run.folder)
    with serving("prometheus-client", series, run.folder, (certificate, key)) as peer, silent_clients(peer.url, 1):
        try:
            theirs = scrape(peer.url, _GIVEN_UP)
        except OSError:
            theirs = _GIVEN_UP * 1e3
    with serving("ours", series, run.folder, (certificate, key)) as ours:
        free = one_after_the_other(ours.url, run.scale.repeat)
        with silent_clients(ours.url, _SILENT):
            beside = one_after_the_other(ours.url, run.scale.repeat)
        abandoned(ours.url, _ABANDONED)
        after = scrape(ours.url)
    usual = percentile(free, 0.5)
    against = f"prometheus-client beside one, given up after {_GIVEN_UP:g} s"
    yield Measure(f"a TLS scrape beside {_SILENT} silent clients is later by", max(0.0, max(beside) - usual), "ms", Bar(50.0),
                  theirs, against)  # fmt: skip
    yield Measure(f"a TLS scrape after {_ABANDONED} abandoned ones is later by", max(0.0, after - usual), "ms", Bar(50.0))


def serving(server: str, series: int, folder: Path, tls: tuple[Path, Path] | None = None) -> AbstractContextManager[Program]:
    """A process of `benchmarks.serving`. Raises ProgramError when it does not answer."""
    port, scheme = free_port(), "https" if tls else "http"
    command = [sys.executable, "-m", "benchmarks.serving", server, str(series), str(port)]
    if tls:
        command += ["--certificate", str(tls[0]), "--key", str(tls[1])]
    return started(command, f"{scheme}://127.0.0.1:{port}/metrics", folder / f"serving-{server}.log", {})


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that is good for a day, and its key. Raises ProgramError without the program openssl."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    try:
        subprocess.run(
            [*command, "-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as problem:
        raise ProgramError(f"a certificate for TLS could not be made with openssl: {problem}") from None
    return certificate, key
