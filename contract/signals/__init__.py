"""Signals: questions about metrics, asked once and rendered wherever they are needed. One module a concern.

A new signal is one declaration in its module; `SIGNALS` finds it there.
"""

from __future__ import annotations

from contract.labels import LABELS
from contract.signals import (
    agents,
    conversations,
    cost,
    executions,
    http,
    knowledge,
    models,
    sources,
    stores,
    support,
    tools,
    users,
)
from contract.signals.model import Signal

MODULES = (http, agents, tools, conversations, users, models, cost, knowledge, support, executions, stores, sources)


def _check(signal: Signal) -> Signal:
    for leaf in signal.leaves:
        for match in leaf.matches:
            if match.label == "le" and leaf.series.endswith("_bucket"):
                continue
            if match.label not in leaf.metric.all_labels:
                raise ValueError(f"signal {signal.key}: {leaf.metric.name} has no label {match.label}")
            values = LABELS[match.label].values
            if match.operator == "=" and values and match.value not in values:
                raise ValueError(f"signal {signal.key}: {match.label} is never {match.value}; it is one of {', '.join(values)}")
    return signal


def _collected() -> dict[str, Signal]:
    found: dict[str, Signal] = {}
    for signal in (value for module in MODULES for value in vars(module).values() if isinstance(value, Signal)):
        if found.setdefault(signal.key, signal) != signal:
            raise ValueError(f"two signals are called {signal.key}")
    return {key: _check(signal) for key, signal in found.items()}


SIGNALS = _collected()
"""Every signal that rules and alerts use, by key."""
