"""All objects of a configuration, each within what Kubernetes and the operators take."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from contract.settings import Settings
from provisioning.check import limits
from provisioning.findings import ConfigError, Finding, error
from provisioning.targets.kubernetes import dashboards, exporter, watching
from provisioning.targets.kubernetes.objects import Maker, Object, file_name, text


def manifests(settings: Settings, built: Mapping[str, bytes]) -> tuple[Object, ...]:
    """Of what `build` wrote for the servers. Raises ConfigError, with every finding, when a server would refuse an object."""
    maker = Maker(settings)
    found = (*watching.objects(maker, built), *dashboards.objects(maker, built), *exporter.objects(maker))
    if problems := [*_refused(found, settings.targets.kubernetes.server_side_apply)]:
        raise ConfigError(problems)
    return found


def files(settings: Settings, built: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same as files by name."""
    return {file_name(one): text(one) for one in manifests(settings, built)}


def _refused(found: Sequence[Object], server_side: bool) -> Iterator[Finding]:
    for name, number in Counter(map(file_name, found)).items():
        if number > 1:
            yield error(name, f"{number} objects would have this file", "give their dashboards or data sources other uids")
    for one in found:
        place = f"{one['kind']} {one['metadata']['name']}"
        yield from limits.object_name(place, one["metadata"]["name"])
        for value in one["metadata"]["labels"].values():
            yield from limits.label_value(place, value)
        size = _bytes(one)
        yield from limits.OBJECT.exceeded(place, size)
        if not server_side:
            yield from limits.APPLIED_COPY.exceeded(place, size)
        if one["kind"] == "ConfigMap":
            yield from limits.CONFIG_MAP.exceeded(place, _held(one["data"]))
        elif one["kind"] == "Secret":
            yield from limits.SECRET.exceeded(place, _held(one["stringData"]))
        elif one["kind"] == "PrometheusRule":
            yield from limits.RULE_OBJECT.exceeded(place, _bytes(one["spec"]))


def _bytes(document: Object) -> int:
    """As the API server is sent it."""
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())


def _held(data: Mapping[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in data.items())
