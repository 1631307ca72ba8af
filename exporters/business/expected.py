"""What is known to exist, and therefore starts at zero before anything happened.

So that the first error of an agent is a step from 0 to 1 that `rate()` sees, and not a series that begins at 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from contract.catalogue import metric
from contract.definitions import DOCUMENT_STATUSES, TICKET_STATUSES
from contract.labels import LABELS
from contract.metrics import Metric
from contract.status import STATUSES
from exporters.database.sessions import Rows
from exporters.rollups.model import Stock
from exporters.snapshot import Sample, sample

_VALUES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "platform_executions_total": {"status": STATUSES},
    "platform_execution_duration_seconds": {"outcome": ("success", "failed")},
    "platform_tool_calls_total": {"status": STATUSES},
    "platform_workflow_runs_total": {"status": STATUSES},
    "platform_tickets": {"status": TICKET_STATUSES},
    "platform_ticket_sla_total": {"kind": ("first_response", "resolution"), "result": ("met", "breached")},
    "platform_documents": {"status": DOCUMENT_STATUSES},
    "platform_documents_processed_total": {"status": ("done", "failed")},
    "platform_kb_searches_total": {"result": ("found", "empty")},
    "platform_logins_total": {"result": ("success", "failure")},
}
"""What a label may be in one metric, where the label's own list says more than that, or nothing."""

_PLACE = ("agent", "version", "environment")

LabelSet = tuple[str, ...]


@dataclass(frozen=True)
class Expected:
    """Agents and environments by name, and the versions in service: agent, version and environment."""

    agents: tuple[str, ...]
    environments: tuple[str, ...]
    versions: tuple[tuple[str, str, str], ...] = ()

    def label_sets(self, declared: Metric, seen: Collection[LabelSet] = ()) -> Iterator[LabelSet]:
        """Every label set of a metric that is expected, given those that are there.

        Agents, environments, versions in service and closed lists are known beforehand. Of all other labels (tools, kinds of
        workflows, …) the values that were seen once are expected everywhere.
        """
        others = [label for label in declared.labels if label not in _PLACE]
        known = [_values(declared, label) or sorted({at[declared.labels.index(label)] for at in seen}) for label in others]
        for place in self._places(declared.labels):
            for values in product(*known):
                named = {**place, **dict(zip(others, values, strict=True))}
                yield tuple(named[label] for label in declared.labels)

    def _places(self, labels: Sequence[str]) -> Iterator[dict[str, str]]:
        if "version" in labels:
            found = {tuple(zip(_PLACE, triple, strict=True)) for triple in self.versions}
            yield from (dict(place) for place in sorted(found))
            return
        agents = self.agents if "agent" in labels else ("",)
        environments = self.environments if "environment" in labels else ("",)
        for agent, environment in product(agents, environments):
            yield {"agent": agent, "environment": environment}


def _values(declared: Metric, label: str) -> tuple[str, ...]:
    return _VALUES.get(declared.name, {}).get(label) or LABELS[label].values


def counts(stock: Stock, rows: Rows, expected: Expected) -> Iterator[Sample]:
    """The samples of a stock from rows of its labels (in its order) and a count. What is expected starts at 0."""
    for wanted in stock.yields:
        declared = metric(wanted.metric)
        places = [list(stock.labels).index(label) for label in declared.labels]
        found: Counter[LabelSet] = Counter()
        for row in rows:
            found[tuple(row[place] for place in places)] += row[-1]
        for labels in expected.label_sets(declared, tuple(found)):
            found.setdefault(labels, 0)
        for labels, count in found.items():
            yield sample(declared.name, *labels, value=count)
