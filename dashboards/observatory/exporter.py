"""What the Observatory's own processes use, and what a scrape costs."""

from __future__ import annotations

from contract.signals.model import Signal
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import series
from dashboards.observatory.signals import CONNECTIONS, CPU, MEMORY, REFUSED, SAMPLES, SCRAPE_DURATION

_NEVER = "these processes are not scraped"


def _graph(
    name: str, title: str, description: str, signal: Signal, by: tuple[str, ...], soft_maximum: float | None = None
) -> Panel:
    return TimeSeries(
        name=name,
        title=title,
        description=description,
        targets=(series(signal, by, legend=" ".join(f"{{{{{label}}}}}" for label in by)),),
        unit=signal.unit,
        soft_maximum=soft_maximum,
        no_value=_NEVER,
        calculations=("max",),
    )


def memory() -> Panel:
    text = "Resident memory of exporter, Prometheus and Alertmanager. The exporter's stays flat; one that climbs is a fault."
    return _graph("memory", "Resident memory", text, MEMORY, ("job", "instance"))


def cpu() -> Panel:
    text = "Share of one processor that each process uses. Prometheus' follows its rules and the dashboards that are open."
    return _graph("cpu", "Processor", text, CPU, ("job", "instance"))


def connections() -> Panel:
    text = "Connections to PostgreSQL that the exporter holds: at most two for each replica."
    return _graph("connections", "Connections to PostgreSQL", text, CONNECTIONS, ())


def scrape_durations() -> Panel:
    text = "Time that Prometheus takes to read each target. The exporter hands out what is ready: a slow one is the network."
    return _graph("scrape_durations", "Time of a scrape", text, SCRAPE_DURATION, ("job", "environment"))


def samples() -> Panel:
    text = "Samples of each target's last scrape. A jump up is a label that grew; a fall is told by ScrapeShrank."
    return _graph("samples", "Samples of a scrape", text, SAMPLES, ("job", "environment"))


def refused() -> Panel:
    text = "Scrapes that the exporter refused because too many came at once. Somebody else reads it, or it is asked too often."
    return _graph("refused", "Refused scrapes", text, REFUSED, (), soft_maximum=1)
