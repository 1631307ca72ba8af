"""`docs/panels.md`: every panel of every tab with what it answers, where it reads, which filters act, which alerts watch it.

`python -m provisioning.panels_page` prints it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from alert_rules.catalogue import active
from contract.settings import Settings
from dashboards.catalogue import TABS
from dashboards.lib.describe import acting, read_series, read_tables
from dashboards.lib.panel import Panel
from dashboards.lib.tab import Tab
from provisioning.origins import SOURCES, Origins

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def page(settings: Settings) -> str:
    """The whole page in Markdown; the same for equal settings."""
    watching: dict[str, list[str]] = {}
    for alert in active(settings):
        watching.setdefault(alert.panel_key, []).append(alert.name)
    tabs = [(tab, [panel for panel in tab.panels(settings) if panel.targets]) for tab in TABS]
    lines = [
        "# Panels",
        "",
        f"{sum(len(panels) for _, panels in tabs)} panels on {len(tabs)} tabs, written by `make docs` from the tabs themselves."
        " Their descriptions in Grafana say more: what to do when it looks bad, and all that it reads.",
    ]
    origins = Origins(settings)
    lines += ["", *_matrix(tabs, origins)]
    for tab, panels in tabs:
        lines += ["", *_tab(tab, panels, watching, origins)]
    return "\n".join(lines) + "\n"


def _matrix(tabs: list[tuple[Tab, list[Panel]]], origins: Origins) -> Iterator[str]:
    yield "Who knows what a tab shows, and in how many of its panels; most read the primary source. Whoever keeps them, figures"
    yield "that the exporter publishes, rules record or roll-ups count are those of the source that they were read from."
    yield ""
    yield f"| tab | {' | '.join(SOURCES)} |"
    yield "|---|" + "---|" * len(SOURCES)
    for tab, panels in tabs:
        read = Counter(source for panel in panels for source in origins.of([query.text for query in panel.targets]))
        cells = [
            f"primary, {read[source]}" if read[source] == max(read.values()) else str(read[source] or "–") for source in SOURCES
        ]
        yield f"| {tab.title} | {' | '.join(cells)} |"


def _tab(tab: Tab, panels: list[Panel], watching: dict[str, list[str]], origins: Origins) -> Iterator[str]:
    yield f"## {tab.title}"
    yield ""
    yield f"{tab.description} Owner: {tab.owner}. Folder: {tab.folder}. Refreshed every {tab.refresh}."
    yield ""
    yield "| panel | what it answers | reads | tables behind it | filters | watched by |"
    yield "|---|---|---|---|---|---|"
    for panel in panels:
        texts = [query.text for query in panel.targets]
        cells = (
            panel.title,
            _SENTENCE.split(panel.description)[0],
            ", ".join(f"`{name}`" for name in (*read_tables(texts), *read_series(texts))),
            ", ".join(f"`{table}`" for table in origins.tables(texts)),
            ", ".join(acting(texts, tab.filters)) or "none",
            ", ".join(watching.get(f"{tab.key}/{panel.name}", ())),
        )
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    print(page(Settings()), end="")
