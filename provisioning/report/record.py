"""That a report was made is recorded, where there is a login for the record: who, which tab, which range, for whom."""

from __future__ import annotations

import os
from collections.abc import Sequence

from provisioning.actions import audit
from provisioning.findings import InputError, Unreachable
from provisioning.report.model import Report, moment


def exported(report: Report, form: str, to: Sequence[str]) -> list[str]:
    """Adds the row; gives what is to be said where that failed. A report that cannot be recorded is still a report."""
    if not os.environ.get(audit.VARIABLE, "").strip():
        return []
    told = {
        "from": moment(report.span.start), "to": moment(report.span.end), "format": form,
        "filters": dict(report.variables), "mailed_to": len(to),
    }  # fmt: skip
    try:
        with audit.recorded(None) as connection, connection.transaction():
            audit.add(connection, audit.actor(None), "report export", f"report {report.tab}", None, told)
    except (InputError, Unreachable) as problem:
        return [f"it was not recorded: {str(problem).removeprefix('error: ')}"]
    return []
