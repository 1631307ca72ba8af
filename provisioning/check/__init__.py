"""`observatory check`: builds in memory and proves what was built, without any server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from contract.settings import Settings
from provisioning.beside import beside
from provisioning.findings import Finding, has_errors
from provisioning.rule_files import rule_groups

if TYPE_CHECKING:
    from provisioning.check.report import Report
    from provisioning.check.revisions import Since
    from provisioning.check.scenarios import Which

__all__ = ["Choices", "all_findings", "run"]


@dataclass(frozen=True)
class Choices:
    """What is asked of a check beside the build itself.

    `scenarios` says which of them promtool proves, `database` is the DSN of a database that prepares the queries, and `say` is
    told what takes long while it does. `sound` is given what was built when no error was found in it.
    """

    scenarios: Which = "changed"
    database: str | None = None
    say: Callable[[str], None] = lambda _: None
    sound: Callable[[Mapping[str, bytes]], None] = lambda _: None


def run(settings: Settings, today: date | None = None, choices: Choices = Choices(), since: Since | None = None) -> Report:
    """Build under these settings and look at everything. Raises ConfigError when it cannot even be built.

    Waivers are held against `today`, by default the day it is (UTC). With `since` only findings in what is built otherwise
    than there, and such as were not found there, are reported.
    """
    from provisioning import build
    from provisioning.check.external import missing_tools
    from provisioning.check.report import Report
    from provisioning.check.waivers import waived

    artefacts = build.artefacts(settings)
    found = list(dict.fromkeys(all_findings(artefacts, settings, choices)))
    findings = waived(found, settings.waivers, today or datetime.now(UTC).date(), _not_run(choices))
    if not has_errors(findings):
        choices.sound(artefacts)
    reported = findings
    if since:
        from provisioning.check import revisions

        before = revisions.built(since)
        new = revisions.changed(found, built_findings(before, settings), artefacts, before)
        reported = [one for one in findings if (one.check, one.place) in new or one.check.startswith("waivers/")]
    notes = missing_tools()
    if choices.scenarios == "none":
        notes.append("the scenarios of alerts were not proved")
    return Report(tuple(reported), _counts(artefacts), tuple(notes), len(findings) - len(reported))


def all_findings(artefacts: Mapping[str, bytes], settings: Settings, choices: Choices = Choices()) -> Iterator[Finding]:
    """Every finding about these files, about the settings and the exporter, and what tools and the database say."""
    from provisioning.check.configured import configured_findings
    from provisioning.check.external import external_findings
    from provisioning.check.scenarios import scenario_findings

    def of_exporter_and_tools() -> list[Finding]:
        from provisioning.check.exporter import exporter_findings  # which takes long to import

        return [*_named("exporter/metrics", exporter_findings()), *external_findings(artefacts)]

    apart = beside(of_exporter_and_tools)
    yield from _named("settings/configured", configured_findings(settings))
    yield from built_findings(artefacts, settings)
    yield from apart()
    yield from scenario_findings(artefacts, choices.scenarios, choices.say)
    if choices.database:
        from provisioning.check.prepared import prepared_findings

        yield from prepared_findings(artefacts, settings, choices.database)


def built_findings(artefacts: Mapping[str, bytes], settings: Settings) -> Iterator[Finding]:
    """What can be seen in the files alone: dashboards, queries, rules, alerts, links, routes, runbooks, sizes."""
    from pathlib import PurePosixPath

    from alert_rules.catalogue import active
    from dashboards.catalogue import TABS
    from provisioning import boards as read_back
    from provisioning.check.alerts import alert_findings
    from provisioning.check.boards import board_findings
    from provisioning.check.boards.model import Site
    from provisioning.check.expressions import Inspector
    from provisioning.check.known import known_series
    from provisioning.check.links import link_findings
    from provisioning.check.pages import page_findings, recorded_in
    from provisioning.check.queries import query_findings, series_read
    from provisioning.check.routes import route_findings
    from provisioning.check.rules import rule_findings
    from provisioning.check.served import external_labels, saved_in_browser, size_findings
    from provisioning.check.shape import shape_findings
    from provisioning.mixin import pulled
    from provisioning.mixin.findings import lint_of_others, mixin_findings
    from provisioning.text import from_yaml
    from recording_rules.kept import FOR_PEOPLE

    everything, artefacts = artefacts, pulled.without(artefacts, settings)
    theirs = {path: body for path, body in everything.items() if path not in artefacts}
    boards, groups = read_back.read(artefacts), rule_groups(artefacts)
    inspector = Inspector.of(settings, known_series(groups))
    yield from shape_findings(boards, settings)
    site = Site(inspector.house.known, inspector.house.scrape, saved_in_browser(artefacts))
    of_boards = beside(
        lambda: [*board_findings(boards, site), *_named("dashboards/query", query_findings(boards, inspector, settings))]
    )
    pages = {path: body.decode() for path, body in artefacts.items() if path.startswith("runbooks/")}
    yield from _named("runbooks/query", page_findings(pages, inspector))
    read = series_read(boards, settings) | recorded_in(pages.values())
    yield from rule_findings(groups, inspector, settings, read, FOR_PEOPLE, external_labels(artefacts))

    def keys() -> Iterator[str]:
        return (key for tab in TABS for key in tab.panel_keys(settings))

    yield from _named("alerts/panel", alert_findings(active(settings), keys, boards, settings))
    yield from _named("links/nowhere", link_findings(boards, groups, pages, settings))
    templates = {
        str(PurePosixPath(path).relative_to("alertmanager")): body.decode()
        for path, body in artefacts.items()
        if path.startswith("alertmanager/templates/")
    }
    configuration = from_yaml(artefacts["alertmanager/alertmanager.yml"])
    yield from _named("routes/nowhere", route_findings(configuration, templates, groups))
    others = read_back.read(theirs)
    yield from size_findings(everything, (*boards, *others), [*groups, *rule_groups(theirs)], settings)
    yield from mixin_findings(everything, settings)
    yield from lint_of_others(board_findings(others, site))
    yield from of_boards()


def _named(check: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, those without a check's name under this one."""
    return (finding if finding.check else replace(finding, check=check) for finding in findings)


def _not_run(choices: Choices) -> frozenset[str]:
    """Names of checks that say nothing this time, so that nothing can be said about waivers of them."""
    absent = {"sql/refused"} if not choices.database else set()
    return frozenset(absent | ({"tools/promtool"} if choices.scenarios == "none" else set()))


def _counts(artefacts: Mapping[str, bytes]) -> dict[str, int]:
    rules = [rule for group in rule_groups(artefacts) for rule in group["rules"]]
    return {
        "files": len(artefacts),
        "dashboards": sum(path.startswith("grafana/dashboards/") for path in artefacts),
        "recording rules": sum("record" in rule for rule in rules),
        "alerts": sum("alert" in rule for rule in rules),
    }
