"""Reports for people, programs, code scanning and GitHub; and that findings lead to where they are mended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contract.settings import Settings
from dashboards.catalogue import TABS
from provisioning.check.formats import FORMATS, written
from provisioning.check.locations import Location, Locator
from provisioning.check.report import Report
from provisioning.findings import Finding

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = Settings()
ALERT = Finding(
    "error", "alert AgentErrorRatioHigh", "by (agnet): 100% wrong\nreally", "did you mean agent?", "promql/grouping-label"
)
PANEL = Finding("warning", "dashboard Overview, panel Users, query A", "x, y: z", "", "promql/rate-window")
NOTE = Finding("note", "recording rule nobody:knows:it", "nobody reads this series", "", "rules/unused")
CONFIGURATION = Finding("error", "site.yaml:12:3: thresholds.error_ratio", "2: should be less than 1", "for example 0.05")
REPORT = Report((ALERT, PANEL, NOTE, CONFIGURATION), {"files": 3, "alerts": 1}, ("promtool is missing",), 7)

_TEXT = {"type": "string", "minLength": 1}
_MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": _TEXT}, "additionalProperties": False}
_LEVEL = {"enum": ["error", "warning", "note", "none"]}
_RULE = {
    "type": "object", "required": ["id"], "additionalProperties": False,
    "properties": {"id": _TEXT, "shortDescription": _MESSAGE, "help": _MESSAGE},
}  # fmt: skip
_REGION = {"type": "object", "properties": {"startLine": {"type": "integer", "minimum": 1}}, "additionalProperties": False}
_ARTEFACT = {
    "type": "object", "additionalProperties": False,
    "properties": {"uri": {"type": "string", "pattern": "^[^/\\\\:][^\\\\:]*$"}, "uriBaseId": _TEXT},
}  # fmt: skip
_PHYSICAL = {
    "type": "object", "required": ["artifactLocation"], "additionalProperties": False,
    "properties": {"artifactLocation": _ARTEFACT, "region": _REGION},
}  # fmt: skip
_LOCATION = {
    "type": "object", "additionalProperties": False,
    "properties": {
        "physicalLocation": _PHYSICAL,
        "logicalLocations": {"type": "array", "items": {"type": "object", "properties": {"fullyQualifiedName": _TEXT},
                                                        "additionalProperties": False}},
    },
}  # fmt: skip
_RESULT = {
    "type": "object", "required": ["message", "locations"], "additionalProperties": False,
    "properties": {
        "ruleId": _TEXT, "ruleIndex": {"type": "integer", "minimum": 0}, "level": _LEVEL, "message": _MESSAGE,
        "locations": {"type": "array", "items": _LOCATION, "minItems": 1},
        "partialFingerprints": {"type": "object", "additionalProperties": _TEXT},
    },
}  # fmt: skip
_NOTIFICATION = {
    "type": "object", "required": ["message"], "additionalProperties": False,
    "properties": {"level": _LEVEL, "message": _MESSAGE},
}  # fmt: skip
_RUN = {
    "type": "object", "required": ["tool", "results"], "additionalProperties": False,
    "properties": {
        "tool": {"type": "object", "required": ["driver"], "additionalProperties": False, "properties": {
            "driver": {"type": "object", "required": ["name"], "additionalProperties": False,
                       "properties": {"name": _TEXT, "rules": {"type": "array", "items": _RULE, "uniqueItems": True}}}}},
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "invocations": {"type": "array", "items": {
            "type": "object", "required": ["executionSuccessful"], "additionalProperties": False, "properties": {
                "executionSuccessful": {"type": "boolean"},
                "toolExecutionNotifications": {"type": "array", "items": _NOTIFICATION}}}},
        "results": {"type": "array", "items": _RESULT},
    },
}  # fmt: skip
SARIF = {
    "type": "object", "required": ["version", "runs"], "additionalProperties": False,
    "properties": {"$schema": _TEXT, "version": {"const": "2.1.0"}, "runs": {"type": "array", "items": _RUN}},
}  # fmt: skip
"""What SARIF 2.1.0 says of the parts that are used here; what it allows beside them is not used."""


def _of(form: Any, report: Report = REPORT, config: Path | None = None) -> str:
    return written(report, form, Locator(SETTINGS, config))


def test_people_read_what_is_wrong_first_and_the_sum_last() -> None:
    lines = _of("text").splitlines()
    assert lines[0].startswith("error: alert AgentErrorRatioHigh: by (agnet)")
    assert lines[-3:] == [
        "note: promtool is missing", "note: 7 more in what has not changed", "3 files, 1 alert: 2 errors, 1 warning, 1 note",
    ]  # fmt: skip


def test_programs_read_the_same_with_places_in_files() -> None:
    document = json.loads(_of("json"))
    assert (document["ok"], document["unchanged"], document["checked"]) == (False, 7, {"files": 3, "alerts": 1})
    first = document["findings"][0]
    assert {key: first[key] for key in ("severity", "place", "check", "remedy")} == {
        "severity": "error", "place": ALERT.place, "check": ALERT.check, "remedy": ALERT.remedy,
    }  # fmt: skip
    assert first["file"].startswith("alert_rules/") and first["line"] > 1
    assert json.loads(_of("json", Report((NOTE,), {})))["ok"] is True


def test_sarif_is_as_its_schema_wants_it() -> None:
    document = json.loads(_of("sarif"))
    jsonschema.Draft202012Validator(SARIF).validate(document)
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result, finding in zip(run["results"], REPORT.findings, strict=True):
        assert result["level"] == finding.severity and finding.message in result["message"]["text"]
        if finding.check:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.check
    assert len({json.dumps(result["partialFingerprints"]) for result in run["results"]}) == len(REPORT.findings)


def test_a_fingerprint_stays_when_the_message_changes() -> None:
    other = Finding("error", ALERT.place, "by (agnt)", "", ALERT.check)
    one, two = (json.loads(_of("sarif", Report((finding,), {})))["runs"][0]["results"][0] for finding in (ALERT, other))
    assert one["partialFingerprints"] == two["partialFingerprints"]


def test_github_gets_one_line_for_each_finding_whatever_is_in_it() -> None:
    lines = _of("github").splitlines()
    assert lines[0].startswith("::error file=alert_rules/") and ",title=promql/grouping-label::" in lines[0]
    assert lines[0].endswith("alert AgentErrorRatioHigh: by (agnet): 100%25 wrong%0Areally%0Adid you mean agent?")
    assert lines[1].startswith("::warning file=dashboards/overview/") and lines[2].startswith("::notice file=")
    assert lines[3].startswith("::error file=site.yaml,line=12,title=configuration::")
    assert lines[-2:] == ["::notice::7 more in what has not changed", REPORT.summary] and len(lines) == len(REPORT.findings) + 3


@pytest.mark.parametrize("form", FORMATS)
def test_a_report_without_findings(form: Any) -> None:
    said = _of(form, Report((), {"files": 1}))
    assert "0 errors" in said or json.loads(said)
    if form == "sarif":
        jsonschema.Draft202012Validator(SARIF).validate(json.loads(said))


# ---- where it is mended


def _line(location: Location) -> str:
    return (ROOT / location.path).read_text(encoding="utf-8").splitlines()[location.line - 1]


@pytest.mark.parametrize(
    ("place", "check", "path", "said"),
    [
        ("alert AgentErrorRatioHigh, description", "alerts/template-label", "alert_rules/", '"AgentErrorRatioHigh"'),
        ("dashboard Overview, panel Users, query A", "promql/cost", "dashboards/overview/", 'name="users"'),
        ("dashboard Overview, variable agent", "promql/unknown-label", "dashboards/overview/__init__.py", ""),
        ("dashboard Overview", "dashboards/uid", "dashboards/overview/__init__.py", ""),
        (
            "promtool test rules prometheus/tests/AgentErrorRatioHigh.yml",
            "tools/promtool",
            "alert_rules/",
            '"AgentErrorRatioHigh"',
        ),
        ("runbook AgentErrorRatioHigh, query 2", "runbooks/query", "alert_rules/", '"AgentErrorRatioHigh"'),
        (
            "contract/exporter_metrics.py: platform_users",
            "exporter/metrics",
            "contract/exporter_metrics.py",
            '"platform_users"',
        ),
        ("metric platform_users", "tools/metrics", "contract/", '"platform_users"'),
        ("rule group agent_pages", "rules/group-size", "alert_rules/", '"agent_pages"'),
        ("receiver somebody", "routes/nowhere", "alert_rules/routes.py", ""),
        ("dashboard of nobody", "dashboards/uid", "dashboards/catalogue.py", ""),
    ],
)
def test_a_finding_leads_to_where_it_is_mended(place: str, check: str, path: str, said: str) -> None:
    found = Locator(SETTINGS).of(Finding("error", place, "x", "", check))
    assert found.path.startswith(path) and (ROOT / found.path).is_file()
    assert said in _line(found)


def test_every_panel_leads_to_a_module_of_its_tab_and_most_to_their_line() -> None:
    locator = Locator(SETTINGS)
    panels = [(tab.title, panel.title) for tab in TABS for panel in tab.panels(SETTINGS) if panel.title]
    found = [
        locator.of(Finding("error", f"dashboard {title}, panel {name}", "x", "", "dashboards/unit")) for title, name in panels
    ]
    assert all(one.path.startswith("dashboards/") and (ROOT / one.path).is_file() for one in found)
    assert sum(one.line > 1 for one in found) > len(found) / 2


def test_findings_of_settings_lead_to_the_line_of_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "observatory.yaml"
    config.write_text("environments: [production]\nscrape:\n  platform:\n    - {environment: prodution, address: 'x:1'}\n")
    finding = Finding("error", "scrape.platform[0].environment", "is not one of the environments", "", "settings/configured")
    assert Locator(SETTINGS, config).of(finding) == Location(str(config), 4)
    waiver = Finding("error", "waivers[0] (rules/unused, recording rule x)", "expired", "", "waivers/expired")
    assert Locator(SETTINGS, config).of(waiver) == Location(str(config), 1), "what the file does not say stands nowhere in it"
    assert Locator(SETTINGS).of(waiver).path == "observatory.yaml"
