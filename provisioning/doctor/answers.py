"""What the doctor found out: about each source, and about each panel, variable and rule."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Literal

from provisioning.findings import Finding, has_errors

State = Literal["data", "empty", "error", "unasked"]
"""`unasked`: its source cannot be reached, so the question was not put."""


@dataclass(frozen=True)
class SourceHealth:
    """One source. `reachable` is None when it is not configured and was left alone."""

    name: str
    address: str
    reachable: bool | None
    message: str
    milliseconds: int = 0


@dataclass(frozen=True)
class Answer:
    """What came back for one query. `rows` counts series or rows; `why` explains everything but data.

    `missing`: something that the query reads does not exist at all.
    """

    place: str
    state: State
    why: str = ""
    rows: int = 0
    milliseconds: int = 0
    missing: bool = False


@dataclass(frozen=True)
class Item:
    """A panel, variable or rule with the answers to its queries.

    `empty_is_fine` when nothing to show is good news, and all that would have shown is alive.
    """

    kind: Literal["panel", "variable", "annotation", "rule"]
    key: str
    answers: tuple[Answer, ...]
    empty_is_fine: bool = False

    @property
    def state(self) -> State:
        states = [answer.state for answer in self.answers]
        for state in ("error", "unasked", "data"):
            if state in states:
                return state
        return "empty"

    @property
    def ill(self) -> bool:
        return self.state == "error" or (self.state == "empty" and not self.empty_is_fine)

    @property
    def why(self) -> str:
        reasons = dict.fromkeys(answer.why for answer in self.answers if answer.state == self.state and answer.why)
        return "; ".join(reasons)

    @property
    def milliseconds(self) -> int:
        """The slowest query's time: queries of a panel run side by side."""
        return max((answer.milliseconds for answer in self.answers), default=0)


@dataclass(frozen=True)
class Report:
    """The whole examination. `troubles` is what stands in the way of sources and panels, with causes and remedies."""

    sources: tuple[SourceHealth, ...]
    items: tuple[Item, ...]
    warnings: tuple[Finding, ...] = ()
    troubles: tuple[Finding, ...] = ()

    @property
    def unreachable(self) -> bool:
        lost = any(source.reachable is False for source in self.sources)
        return lost or any(item.state == "unasked" for item in self.items)

    @property
    def ill(self) -> bool:
        return any(item.ill for item in self.items)

    @property
    def troubled(self) -> bool:
        return has_errors(self.troubles)

    def as_text(self) -> str:
        names = max((len(source.name) for source in self.sources), default=0)
        lines = [f"  {_mark(source):<12} {source.name:<{names}}  {source.address}  {source.message}" for source in self.sources]
        asked = [item for item in self.items if item.state != "unasked"]
        width = max((len(item.key) for item in asked), default=0)
        for item in asked:
            state = item.state.upper() if item.ill else "fine, empty" if item.state == "empty" else item.state
            told = item.why or f"{sum(answer.rows for answer in item.answers)} series or rows"
            lines.append(f"  {state:<12} {item.kind:<10} {item.key:<{width}} {item.milliseconds:>6} ms  {told}")
        unasked = Counter(item.why for item in self.items if item.state == "unasked")
        lines += [f"  not asked    {count} panels, variables and rules: {why}" for why, count in unasked.items()]
        lines += [str(finding) for finding in (*self.warnings, *self.troubles)]
        ill = sum(item.ill for item in self.items)
        lines.append(f"{len(self.items)} looked at: {ill} without the data they should have, {unasked.total()} not asked")
        return "\n".join(lines)

    def as_json(self, config: str | None) -> str:
        return json.dumps(
            {
                "config": config,
                "ok": not self.ill and not self.unreachable and not self.troubled,
                "sources": [asdict(source) for source in self.sources],
                "items": [
                    {
                        "kind": item.kind,
                        "key": item.key,
                        "state": item.state,
                        "ill": item.ill,
                        "why": item.why,
                        "milliseconds": item.milliseconds,
                        "answers": [asdict(answer) for answer in item.answers],
                    }
                    for item in self.items
                ],
                "warnings": [warning.as_json() for warning in self.warnings],
                "troubles": [trouble.as_json() for trouble in self.troubles],
            },
            indent=2,
            ensure_ascii=False,
        )


def _mark(source: SourceHealth) -> str:
    return {True: "up", False: "UNREACHABLE", None: "not set up"}[source.reachable]
