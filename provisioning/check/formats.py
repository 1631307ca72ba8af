"""A report as text for people, JSON, SARIF 2.1.0, or annotations of GitHub Actions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from provisioning.check.catalogue import CHECKS
from provisioning.check.locations import Location, Locator
from provisioning.check.report import Report
from provisioning.findings import Finding, Severity

Format = Literal["text", "json", "sarif", "github"]
FORMATS: tuple[Format, ...] = get_args(Format)
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ANNOTATIONS: Mapping[Severity, str] = {"error": "error", "warning": "warning", "note": "notice"}


def written(report: Report, form: Format, locator: Locator) -> str:
    """The report in one of the formats, without a newline at the end."""
    return _WRITERS[form](report, locator)


def _text(report: Report, _: Locator) -> str:
    return "\n".join(
        [*(str(finding) for finding in report.findings), *(f"note: {said}" for said in report.left_out), report.summary]
    )


def _json(report: Report, locator: Locator) -> str:
    return _dumped(
        {
            "ok": report.ok,
            "checked": dict(report.counts),
            "findings": [finding.as_json() | _place(locator.of(finding)) for finding in report.findings],
            "notes": list(report.left_out),
            "unchanged": report.unchanged,
        }
    )


def _place(location: Location) -> dict[str, object]:
    return {"file": location.path, "line": location.line}


def _sarif(report: Report, locator: Locator) -> str:
    """One run, with a rule for every check that found something. Equal findings have equal fingerprints, wherever they move."""
    used = sorted({finding.check for finding in report.findings if finding.check})
    notes = [{"level": "note", "message": {"text": said}} for said in report.left_out]
    driver = {"name": "observatory check", "rules": [_rule(name) for name in used]}
    results = [_result(finding, locator.of(finding), used) for finding in report.findings]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "results": results,
    }
    return _dumped({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(name: str) -> dict[str, Any]:
    check = CHECKS[name]
    return {"id": name, "shortDescription": {"text": check.finds}, "help": {"text": f"{check.why}. {check.remedy}".strip()}}


def _result(finding: Finding, location: Location, rules: list[str]) -> dict[str, Any]:
    text = f"{finding.place}: {finding.message}" + (f"\n{finding.remedy}" if finding.remedy else "")
    physical = {"artifactLocation": {"uri": location.path, "uriBaseId": "SRCROOT"}, "region": {"startLine": location.line}}
    known = {"ruleId": finding.check, "ruleIndex": rules.index(finding.check)} if finding.check else {}
    return known | {
        "level": finding.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": finding.place}]}],
        "partialFingerprints": {"findingPlace/v1": hashlib.sha256(f"{finding.check}\n{finding.place}".encode()).hexdigest()},
    }


def _github(report: Report, locator: Locator) -> str:
    lines = [_annotation(finding, locator.of(finding)) for finding in report.findings]
    return "\n".join([*lines, *(f"::notice::{_escaped(said)}" for said in report.left_out), report.summary])


def _annotation(finding: Finding, location: Location) -> str:
    title = finding.check or "configuration"
    where = ",".join(f"{key}={_property(value)}" for key, value in {**_place(location), "title": title}.items())
    text = f"{finding.place}: {finding.message}" + (f"\n{finding.remedy}" if finding.remedy else "")
    return f"::{_ANNOTATIONS[finding.severity]} {where}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    return _escaped(str(value)).replace(":", "%3A").replace(",", "%2C")


def _dumped(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


_WRITERS: Mapping[Format, Callable[[Report, Locator], str]] = {"text": _text, "json": _json, "sarif": _sarif, "github": _github}
