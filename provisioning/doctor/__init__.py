"""`observatory doctor`: runs every query of every panel, variable and rule against the live sources."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from contract.settings import Settings
from provisioning import secrets
from provisioning.doctor import subjects, troubles
from provisioning.doctor.answers import Item, Report
from provisioning.doctor.asker import Asker
from provisioning.findings import InputError, closest

WORKERS = 8


def run(settings: Settings, tab: str | None = None, now: float | None = None, log_folder: Path | None = None) -> Report:
    """Look at all tabs and rules, and for what stands in the way; or at one tab alone.

    `now` is the end of every range (seconds since the epoch), `log_folder` where services of a local stack write their logs.

    Raises InputError for a tab that does not exist, and when a secret cannot be read.
    """
    from dashboards.catalogue import TABS

    chosen = [known for known in TABS if tab in (None, known.key)]
    if not chosen:
        raise InputError(f"error: there is no tab {tab}; {closest(str(tab), [known.key for known in TABS])}")
    at = time.time() if now is None else now
    with Asker.of(settings).keeping() as asker, ThreadPoolExecutor(WORKERS) as pool:
        sources = tuple(pool.map(lambda ask: ask(), asker.health_checks()))
        asker = asker.knowing(sources)
        wanted = [subject for known in chosen for subject in subjects.of_tab(known, settings, asker, at)]
        if tab is None:
            wanted += subjects.of_rules(settings, at)
        items = tuple(pool.map(lambda subject: examined(subject, asker), wanted))
        in_the_way = troubles.found(settings, asker, sources, log_folder) if tab is None else ()
    return Report(sources, items, tuple(secrets.too_open(settings)), in_the_way)


def examined(subject: subjects.Subject, asker: Asker) -> Item:
    """Put all queries of a subject to their sources. What may be empty is fine as long as all that it reads is alive."""
    answers = tuple(asker.answer(query, subject.span, subject.choices) for query in subject.queries)
    may_be_empty = subject.empty_is_fine or subject.kind == "rule"
    return Item(subject.kind, subject.key, answers, may_be_empty and not any(answer.missing for answer in answers))
