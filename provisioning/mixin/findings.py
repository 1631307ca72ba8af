"""What is wrong with mixins of others. An error is only what cannot work; the rest is theirs, and said once for each board."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from contract.settings import Settings
from provisioning.boards import Board, read
from provisioning.findings import Finding, error, warning
from provisioning.mixin import pulled
from provisioning.text import from_yaml

_DASHBOARD, _ALERT, _LINT = "mixins/dashboard", "mixins/alert", "mixins/lint"
_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")


def mixin_findings(artefacts: Mapping[str, bytes], settings: Settings) -> Iterator[Finding]:
    """Findings about the files of a build that come from mixins."""
    theirs = {path: body for path, body in artefacts.items() if pulled.of(path, settings)}
    if not theirs:
        return
    own = {board.uid for board in read(pulled.without(artefacts, settings))}
    yield from _dashboards(read(theirs), own, settings)
    for path, body in theirs.items():
        if path.endswith(".yml"):
            yield from _alerts(from_yaml(body)["groups"])


def lint_of_others(findings: Iterable[Finding]) -> Iterator[Finding]:
    """What our own lint says of others' dashboards: one warning for each dashboard and check, with the first place."""
    same: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        same[finding.place.partition(",")[0], finding.check].append(finding)
    for (board, check), (first, *more) in same.items():
        where = first.place.removeprefix(board).removeprefix(", ")
        said = ": ".join(filter(None, (where, first.message)))
        yield warning(board, f"{said} ({check}{f', and {len(more)} more' if more else ''})", first.remedy, _LINT)


def _dashboards(boards: Iterable[Board], own: set[str], settings: Settings) -> Iterator[Finding]:
    seen = dict.fromkeys(own, "one of ours")
    for board in boards:
        place = f"mixin {pulled.of(board.path, settings)}, {board.place}"
        if not _UID.fullmatch(board.uid):
            yield error(
                place, f"uid {board.uid!r}: Grafana takes 1 to 40 letters, digits, - and _", "a shorter one", _DASHBOARD
            )
        elif board.uid in seen:
            yield error(
                place, f"uid {board.uid} is the one of {seen[board.uid]}, too", "give it another with _config", _DASHBOARD
            )
        seen.setdefault(board.uid, place)
        if "rows" in board.model:
            yield warning(place, "has rows of before Grafana 5, which Grafana 13 may not draw", "a newer mixin", _DASHBOARD)


def _alerts(groups: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
        labels, annotations = rule.get("labels") or {}, rule.get("annotations") or {}
        place = f"alert {rule['alert']}"
        if "severity" not in labels:
            yield warning(place, "has no severity, by which routes tell what is urgent", "a label severity", _ALERT)
        if not {"summary", "description", "message"} & annotations.keys():
            yield warning(place, "says nothing to who is told", "an annotation summary", _ALERT)
