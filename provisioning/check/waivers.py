"""Findings that a team leaves for a while become notes. A waiver that has expired fails, one without a finding warns."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from datetime import date

from contract.waivers import Waiver
from provisioning.check.catalogue import CHECKS
from provisioning.findings import Finding, closest, error, warning

EXPIRED, WITHOUT_FINDING, UNKNOWN = "waivers/expired", "waivers/without-finding", "waivers/unknown-check"


def waived(findings: Iterable[Finding], waivers: Sequence[Waiver], today: date, not_run: Container[str] = ()) -> list[Finding]:
    """The findings as the waivers leave them on this day, and what is wrong with the waivers.

    Of checks that were `not_run`, nothing is known, and so nothing is said of their waivers but that they have expired.
    """
    findings = list(findings)
    in_force = [waiver for waiver in waivers if today <= waiver.expires]
    result = [_as_left(finding, in_force) for finding in findings]
    for number, waiver in enumerate(waivers):
        place = f"waivers[{number}] ({waiver.check}, {waiver.target})"
        if today > waiver.expires:
            remedy = f"mend it, or let {waiver.owner} decide anew: {waiver.reason}"
            result.append(error(place, f"expired on {waiver.expires}", remedy, EXPIRED))
        elif waiver.check not in CHECKS:
            result.append(error(place, f"there is no check {waiver.check}", closest(waiver.check, CHECKS), UNKNOWN))
        elif waiver.check not in not_run and not any(_covers(waiver, finding) for finding in findings):
            near = closest(waiver.target, {finding.place for finding in findings if finding.check == waiver.check})
            result.append(warning(place, "there is no such finding", near or "remove the waiver", WITHOUT_FINDING))
    return result


def _as_left(finding: Finding, waivers: Iterable[Waiver]) -> Finding:
    waiver = next((waiver for waiver in waivers if _covers(waiver, finding)), None)
    if waiver is None:
        return finding
    message = f"{finding.message} (left until {waiver.expires} by {waiver.owner}: {waiver.reason})"
    return replace(finding, severity="note", message=message)


def _covers(waiver: Waiver, finding: Finding) -> bool:
    return waiver.check == finding.check and f"{finding.place},".startswith(f"{waiver.target},")
