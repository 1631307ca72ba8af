"""The independent side of the comparison: what panels show at a still moment, and the rows that they are about.

Expectations are plain SQL on `app` and sums over the stand-in's rows; of the rooms under test only names and what they build
are used.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import requests
from psycopg.rows import dict_row

from contract.keys import panel_id
from dashboards.catalogue import TABS
from provisioning import config
from provisioning.interpolation import Span, sql_macros, substitute

if TYPE_CHECKING:
    from tests.integration.conftest import LivingStack

CHOICES = {
    "environment": "production", "department": ".*", "agent": ".*", "version": ".*", "model": ".*", "intent": ".*",
    "tier": ".*", "status": ".*", "before": "'0'", "page": "'0'", "__range": "6h", "__rate_interval": "1m", "__interval": "15s",
}  # fmt: skip
DAY = 86400


class Moment:
    """A still moment: what Prometheus says of it, and the rows that it is about."""

    def __init__(self, stack: LivingStack, at: float) -> None:
        self.stack = stack
        self.at = at
        self._database = stack.database
        """One connection for hundreds of questions: to open one costs more than most answers."""
        self.oldest = self._data_time("postgres")
        self.postgres = self.asked("counts")
        self.langfuse = self._data_time("langfuse")
        self.cost = self._data_time("cost")
        settings = config.load(stack.config)
        self._panels: dict[str, dict[str, Any]] = {}
        for tab in TABS:
            built = {panel["id"]: panel for panel in _flat(tab.dashboard(settings)["panels"])}
            for panel in tab.panels(settings):
                key = f"{tab.key}/{panel.name}"
                self._panels[key] = built[panel_id(key)]
        self._observations: dict[tuple[datetime, datetime], list[dict[str, Any]]] = {}

    def close(self) -> None:
        self._database.close()

    @property
    def dsn(self) -> str:
        """The connection string of the platform's owner."""
        return (self.stack.var / "secrets" / "postgres_owner_dsn").read_text()

    def _data_time(self, source: str) -> datetime:
        found = self.stack.value(f'max(exporter_source_data_timestamp_seconds{{source="{source}"}})', self.at)
        return datetime.fromtimestamp(found, UTC)

    def asked(self, query: str) -> datetime:
        """When the exporter last asked PostgreSQL this: not all is asked on each run. The source's time is of the oldest."""
        name = "exporter_query_last_success_timestamp_seconds"
        found = self.stack.value(f'max({name}{{source="postgres",query="{query}"}})', self.at)
        return datetime.fromtimestamp(found, UTC)

    @property
    def asking(self) -> dict[str, set[str]]:
        """Every panel that asks something, and the kinds of data sources that it asks."""
        return {
            key: {target["datasource"]["type"] for target in panel["targets"]}
            for key, panel in self._panels.items()
            if panel.get("targets")
        }

    def texts(self, key: str) -> list[str]:
        """What a panel asks, word by word."""
        return [target.get("expr") or target["rawSql"] for target in self._panels[key]["targets"]]

    @contextmanager
    def faulty(self, key: str, right: str, wrong: str) -> Iterator[None]:
        """Within it, the panel asks something else: a word of its questions is another one."""
        sound = self._panels[key]
        assert any(right in text for text in self.texts(key)), f"{key} does not ask for {right}"
        broken = copy.deepcopy(sound)
        for target in broken["targets"]:
            for name in ("expr", "rawSql"):
                if name in target:
                    target[name] = target[name].replace(right, wrong)
        self._panels[key] = broken
        try:
            yield
        finally:
            self._panels[key] = sound

    def panel(self, key: str, query: int = 0, **choices: str) -> dict[str, float]:
        """What a PromQL query of the panel `tab/name` shows at the moment, by its legend or only label."""
        target = self._panels[key]["targets"][query]
        expression = substitute(target["expr"], lambda variable, _form: {**CHOICES, **choices}.get(variable))
        shown = {}
        for labels, value in self.stack.query(expression, self.at):
            legend = substitute(target.get("legendFormat", ""), lambda *_: None)
            for label, text in labels.items():
                legend = legend.replace("{{" + label + "}}", text)
            shown[legend] = value
        return shown

    def labelled(self, key: str, query: int = 0, *, before: float = 0, **choices: str) -> dict[tuple[str, ...], float]:
        """The same by all values of its labels, in the order of the labels' names: for tables; `before` is in seconds."""
        target = self._panels[key]["targets"][query]
        expression = substitute(target["expr"], lambda variable, _form: {**CHOICES, **choices}.get(variable))
        return {
            tuple(text for _, text in sorted(labels.items())): value
            for labels, value in self.stack.query(expression, self.at - before)
        }

    def panel_sql(self, key: str, query: int = 0, seconds: float = DAY, **choices: str) -> list[tuple[Any, ...]]:
        """The rows of a panel that asks PostgreSQL itself, over the time before the moment."""
        text = self._panels[key]["targets"][query]["rawSql"]
        filled = substitute(text, lambda variable, _form: {**CHOICES, **choices}.get(variable))
        return self._database.execute(sql_macros(filled, Span(self.at - seconds, self.at, 60)).encode()).fetchall()

    def panel_table(self, key: str, query: int = 0, seconds: float = DAY, **choices: str) -> list[dict[str, Any]]:
        """The same with the names of the columns."""
        text = self._panels[key]["targets"][query]["rawSql"]
        filled = substitute(text, lambda variable, _form: {**CHOICES, **choices}.get(variable))
        with self._database.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql_macros(filled, Span(self.at - seconds, self.at, 60)).encode()).fetchall()

    @contextmanager
    def one_view(self) -> Iterator[datetime]:
        """Within it, all questions to PostgreSQL see the same rows and the same `now()`, which it gives.

        Alerts are told while the platform stands still.
        """
        with self._database.transaction():
            self._database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            [(now,)] = self._database.execute("SELECT now()").fetchall()
            yield now

    def sql(self, text: str, seconds: float = DAY) -> list[tuple[Any, ...]]:
        """Rows of plain SQL. `:now` is the time of what the exporter counted last, `:from` and `:to` a panel's range."""
        given = {"now": self.postgres, "from": _utc(self.at - seconds), "to": _utc(self.at)}
        text = text.replace("%", "%%")
        for name in given:
            text = re.sub(rf"(?<!:):{name}\b", f"%({name})s", text)
        return self._database.execute(text.encode(), given).fetchall()

    def number(self, text: str) -> float:
        [(value,)] = self.sql(text)
        return float(value)

    def calls(self, since: datetime) -> list[dict[str, Any]]:
        """Every model call that Langfuse's row interface gives from `since` to the moment, page by page."""
        until = self.langfuse
        if (since, until) not in self._observations:
            keys = [(self.stack.var / "secrets" / f"langfuse_{kind}_key").read_text() for kind in ("public", "secret")]
            found: list[dict[str, Any]] = []
            cursor: str | None = ""
            while cursor is not None:
                asked = {
                    "fromStartTime": _text(since), "toStartTime": _text(until), "limit": 1000,
                    "fields": "core,basic,model,usage", **({"cursor": cursor} if cursor else {}),
                }  # fmt: skip
                url = f"{self.stack.url('langfuse')}/api/public/v2/observations"
                page = requests.get(url, params=asked, auth=(keys[0], keys[1]), timeout=60).json()
                found += [row for row in page["data"] if row["type"] in ("GENERATION", "EMBEDDING")]
                cursor = page["meta"].get("cursor")
            self._observations[since, until] = found
        return self._observations[since, until]

    @property
    def last_day(self) -> list[dict[str, Any]]:
        """The window of 24 hours begins at a full minute."""
        return self.calls(self.langfuse.replace(second=0, microsecond=0) - timedelta(hours=24))

    @property
    def month(self) -> list[dict[str, Any]]:
        return self.calls(self.langfuse.replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _flat(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _flat(panel.get("panels", []))


def cost_of(rows: list[dict[str, Any]]) -> float:
    """USD of model calls; calls of a model without a price cost nothing."""
    return math.fsum(float((row.get("costDetails") or {}).get("total") or 0.0) for row in rows)


def model_of(row: dict[str, Any]) -> str:
    """The model that a call asked for."""
    return str(row.get("providedModelName") or row.get("model"))
