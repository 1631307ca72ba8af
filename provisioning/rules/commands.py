"""`observatory rules`: what can be learned of built rules before a server loads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from contract.settings import Settings
from contract.values import checked_url
from provisioning.findings import InputError

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FINDINGS = 1


def group(settings: Callable[[Path | None], Settings], running: Path) -> click.Group:
    """The commands. `settings` reads a configuration; `running` is that of the local stack while it runs."""

    @click.group()
    def rules() -> None:
        """What built rules would have done.

        \b
        observatory rules backtest --days 7
        observatory rules backtest --days 7 --against build-old
        """

    @rules.command()
    @click.option("--config", type=click.Path(path_type=Path), envvar="OBSERVATORY_CONFIG", help="Configuration file.")
    @click.option("--build", "folder", type=_FOLDER, default=Path("build"), show_default=True, help="Folder of the build.")
    @click.option("--against", type=_FOLDER, help="Folder of another build, to be told the difference.")
    @click.option("--days", type=click.FloatRange(0.01, 400), default=7.0, show_default=True, help="How far back.")
    @click.option("--until", metavar="TIME", help="Where the days end, as 2026-01-31T12:00:00Z.  [now]")
    @click.option("--url", help="Address of the Prometheus that has the history.  [that of the configuration]")
    @click.option("--prometheus-data", type=_FOLDER, help="Data folder of a stopped Prometheus, or a snapshot, instead.")
    @click.option("--alert", "only", multiple=True, help="Only this alert; may be given several times.")
    @click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
    def backtest(
        config: Path | None,
        folder: Path,
        against: Path | None,
        days: float,
        until: str | None,
        url: str | None,
        prometheus_data: Path | None,
        only: tuple[str, ...],
        form: str,
    ) -> None:
        """Replay the alerts of a build over history, and say when each would have fired.

        Nothing is written to the Prometheus that has the history. Recorded series are taken from there when the server
        evaluates the same rules; the others are recomputed in a Prometheus of our own, which is gone afterwards.

        \b
        observatory rules backtest --days 7
        observatory rules backtest --days 7 --against build-old --alert AgentErrorsPage
        observatory rules backtest --prometheus-data /var/lib/prometheus/snapshots/20260131T120000Z --format json

        Exit codes: 0 done, 1 a rule could not be evaluated, 2 wrong input, 3 the history cannot be reached.
        """
        from provisioning.rules.backtest import backtest as run

        if url and prometheus_data:
            raise click.UsageError("--url and --prometheus-data: give one of them, history is in one place")
        source = prometheus_data or _address(url) or settings(_chosen(config, running)).sources.prometheus.url
        report = run(folder, against, source, days, _moment(until), only)
        click.echo(report.as_json() if form == "json" else report.as_text())
        if report.refused:
            raise SystemExit(_FINDINGS)

    return rules


def _chosen(config: Path | None, running: Path) -> Path | None:
    return config or (running if running.exists() else None)


def _address(url: str | None) -> str | None:
    try:
        return checked_url(url) if url else None
    except ValueError as problem:
        raise InputError(f"error: --url: {problem}") from None


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"error: --until: {text!r} is not a time; write for example 2026-01-31T12:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
