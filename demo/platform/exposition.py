"""The registry as Prometheus reads it: the text format, version 0.0.4."""

from __future__ import annotations

from contract.catalogue import metric
from demo.platform.registry import LabelPairs, Registry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def label_text(labels: LabelPairs) -> str:
    """`{name="value",…}`, or nothing for a series without labels."""
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def render(registry: Registry) -> bytes:
    """All families of a registry, each together, in the order of their first declaration."""
    families: dict[str, list[str]] = {}
    for (name, _), first, end in registry.spans():
        lines = families.setdefault(name, [])
        for series, value in zip(registry.series[first:end], registry.values[first:end], strict=True):
            if value is not None:
                lines.append(f"{series.name}{label_text(series.labels)} {value!r}\n")
    parts = []
    for name, lines in families.items():
        declared = metric(name)
        parts += [f"# HELP {name} {declared.help}\n# TYPE {name} {declared.type}\n", *lines]
    return "".join(parts).encode()
