"""`observatory check`: builds in memory and proves what was built, without any server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Any

from contract.settings import Settings
from provisioning.findings import Finding, has_errors

_RECORDED = re.compile(r"\w+:\w+:\w+")


@dataclass(frozen=True)
class Report:
    """What was found, what was looked at, and which tools were not there."""

    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    missing_tools: tuple[str, ...]

    def as_text(self) -> str:
        lines = [str(finding) for finding in self.findings]
        lines += [f"note: {sentence}" for sentence in self.missing_tools]
        looked_at = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        counted = {kind: sum(finding.severity == kind for finding in self.findings) for kind in ("error", "warning", "note")}
        notes = f", {counted['note']} notes" if counted["note"] else ""
        return "\n".join([*lines, f"{looked_at}: {counted['error']} errors, {counted['warning']} warnings{notes}"])

    def as_json(self) -> str:
        return json.dumps(
            {
                "ok": not has_errors(self.findings),
                "checked": dict(self.counts),
                "findings": [finding.as_json() for finding in self.findings],
                "notes": list(self.missing_tools),
            },
            indent=2,
            ensure_ascii=False,
        )


def run(settings: Settings, today: date | None = None) -> Report:
    """Build under these settings and look at everything. Raises ConfigError when it cannot even be built.

    Waivers are held against `today`, by default the day it is (UTC).
    """
    from provisioning import build
    from provisioning.check.external import missing_tools
    from provisioning.check.waivers import waived

    day = today or datetime.now(UTC).date()

    artefacts = build.artefacts(settings)
    groups = rule_groups(artefacts)
    rules = [rule for group in groups for rule in group["rules"]]
    counts = {
        "files": len(artefacts),
        "dashboards": sum(path.startswith("grafana/dashboards/") for path in artefacts),
        "recording rules": sum("record" in rule for rule in rules),
        "alerts": sum("alert" in rule for rule in rules),
    }
    findings = waived(dict.fromkeys(all_findings(artefacts, settings)), settings.waivers, day)
    return Report(tuple(findings), counts, tuple(missing_tools()))


def all_findings(artefacts: Mapping[str, bytes], settings: Settings) -> Iterator[Finding]:
    """Every finding about these files: settings, exporter, dashboards, queries, rules, alerts, links, routes, tools."""
    import yaml

    from alert_rules.catalogue import active
    from dashboards.catalogue import TABS
    from provisioning import boards as built
    from provisioning.check.alerts import alert_findings
    from provisioning.check.configured import configured_findings
    from provisioning.check.exporter import exporter_findings
    from provisioning.check.expressions import Inspector
    from provisioning.check.external import external_findings
    from provisioning.check.known import known_series
    from provisioning.check.links import link_findings
    from provisioning.check.pages import page_findings
    from provisioning.check.queries import query_findings, series_read
    from provisioning.check.routes import route_findings
    from provisioning.check.rules import rule_findings
    from provisioning.check.shape import shape_findings
    from recording_rules.kept import FOR_PEOPLE

    yield from _named("settings/configured", configured_findings(settings))
    yield from _named("exporter/metrics", exporter_findings())
    boards, groups = built.read(artefacts), rule_groups(artefacts)
    inspector = Inspector.of(settings, known_series(groups))
    yield from shape_findings(boards, settings)
    yield from _named("dashboards/query", query_findings(boards, inspector, settings))
    pages = {path: body.decode() for path, body in artefacts.items() if path.startswith("runbooks/")}
    yield from _named("runbooks/query", page_findings(pages, inspector))
    read = series_read(boards, settings) | {word for text in pages.values() for word in _RECORDED.findall(text)}
    yield from rule_findings(groups, inspector, settings, read, FOR_PEOPLE)
    keys = [key for tab in TABS for key in tab.panel_keys(settings)]
    yield from _named("alerts/panel", alert_findings(active(settings), keys, boards, settings))
    yield from _named("links/nowhere", link_findings(boards, groups, pages, settings))
    templates = {
        str(PurePosixPath(path).relative_to("alertmanager")): body.decode()
        for path, body in artefacts.items()
        if path.startswith("alertmanager/templates/")
    }
    configuration = yaml.safe_load(artefacts["alertmanager/alertmanager.yml"])
    yield from _named("routes/nowhere", route_findings(configuration, templates, groups))
    yield from external_findings(artefacts)


def _named(check: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, those without a check's name under this one."""
    return (finding if finding.check else replace(finding, check=check) for finding in findings)


def rule_groups(artefacts: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The rule groups among built files."""
    import yaml

    return [
        group
        for path, body in artefacts.items()
        if path.startswith("prometheus/rules/")
        for group in yaml.safe_load(body)["groups"]
    ]
