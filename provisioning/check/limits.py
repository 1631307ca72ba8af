"""What each target takes at most. Whoever writes for a target asks here first, and writes nothing when there is an error.

A size is a count, of bytes in UTF-8 where the limit is in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from provisioning.findings import Finding, Severity

TOO_LARGE, BAD_NAME = "targets/too-large", "targets/name"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Limit:
    """The greatest size of one thing, whose rule that is, and what to do about it.

    `severity` is a warning where a target takes more, and something that usually stands before it does not.
    """

    target: str
    what: str
    most: int
    unit: str
    why: str
    remedy: str
    severity: Severity = "error"

    def exceeded(self, place: str, size: int) -> Iterator[Finding]:
        """A finding when the size is beyond the limit."""
        if size > self.most:
            found = f"{self.what}: {size:,} {self.unit}, and {self.target} takes {self.most:,} at most: {self.why}"
            yield Finding(self.severity, place, found, self.remedy, TOO_LARGE)

    def of(self, most: int) -> Limit:
        """The same limit as a site has configured it on its servers."""
        return replace(self, most=most)


GROUP_RULES = Limit(
    "Prometheus",
    "rule group",
    20,
    "rules",
    "they are evaluated one after another",
    "split it: a slow rule delays those after it",
)
DASHBOARD_UID = Limit("Grafana", "uid", 40, "characters", "it is refused when saved", "a shorter key")
DASHBOARD_TITLE = Limit("Grafana", "title", 189, "characters", "its database column ends there", "a shorter title")
DASHBOARD_BODY = Limit(
    "Grafana",
    "dashboard",
    MIB,
    "bytes",
    "reverse proxies before it refuse larger requests by default",
    "fewer panels on one tab, or a larger client_max_body_size",
    "warning",
)
CONFIG_MAP = Limit("Kubernetes", "ConfigMap", MIB, "bytes of data", "the API server refuses it", "one ConfigMap a file")
SECRET = Limit("Kubernetes", "Secret", MIB, "bytes of data", "the API server refuses it", "a Secret of its own for each file")
OBJECT = Limit("Kubernetes", "object", MIB, "bytes", "etcd refuses larger requests", "split it")
APPLIED_COPY = Limit(
    "Kubernetes",
    "object applied by the client",
    262_144,
    "bytes",
    "kubectl apply copies it into an annotation, and all annotations together may be that long",
    "split it, or apply it with --server-side",
)
RULE_OBJECT = Limit(
    "Prometheus Operator",
    "rules of a PrometheusRule",
    MIB // 2,
    "bytes",
    "it puts each into a ConfigMap of half the size that Kubernetes takes",
    "split it",
)
OBJECT_NAME = Limit("Kubernetes", "name", 253, "characters", "a name is a DNS subdomain", "a shorter name")
LABEL_VALUE = Limit("Kubernetes", "label value", 63, "characters", "the API server refuses it", "a shorter value")
MIMIR_GROUP_RULES = Limit(
    "Mimir", "rule group", 20, "rules", "ruler_max_rules_per_rule_group of the tenant", "split it, or raise the tenant's limit"
)
MIMIR_GROUPS = Limit(
    "Mimir",
    "tenant",
    70,
    "rule groups",
    "ruler_max_rule_groups_per_tenant of the tenant",
    "raise the tenant's limit and say so in the configuration",
)
LIMITS = (
    GROUP_RULES, DASHBOARD_UID, DASHBOARD_TITLE, DASHBOARD_BODY, CONFIG_MAP, SECRET, OBJECT, APPLIED_COPY, RULE_OBJECT,
    OBJECT_NAME, LABEL_VALUE, MIMIR_GROUP_RULES, MIMIR_GROUPS,
)  # fmt: skip

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_UID = re.compile(r"[A-Za-z0-9_-]+")


def object_name(place: str, name: str) -> Iterator[Finding]:
    """What Kubernetes would say of an object's name."""
    yield from OBJECT_NAME.exceeded(place, len(name))
    if not _NAME.fullmatch(name):
        yield Finding("error", place, f"{name!r} is no name for Kubernetes", "lower case, digits, - and .", BAD_NAME)


def label_value(place: str, value: str) -> Iterator[Finding]:
    """What Kubernetes would say of the value of a label."""
    yield from LABEL_VALUE.exceeded(place, len(value))
    if not _LABEL.fullmatch(value):
        yield Finding(
            "error", place, f"{value!r} is no value of a label for Kubernetes", "letters, digits, -, _ and .", BAD_NAME
        )


def dashboard_uid(place: str, uid: str) -> Iterator[Finding]:
    """What Grafana would say of the uid of a dashboard or folder."""
    yield from DASHBOARD_UID.exceeded(place, len(uid))
    if not _UID.fullmatch(uid):
        yield Finding("error", place, f"uid {uid!r}: Grafana takes letters, digits, - and _", "another key", BAD_NAME)


def mimir_groups(
    sizes: Iterable[tuple[str, int]], rules: int = MIMIR_GROUP_RULES.most, groups: int = MIMIR_GROUPS.most
) -> Iterator[Finding]:
    """What Mimir's ruler would say of rule groups, given by name and number of rules, under a tenant's limits (0: none)."""
    found = list(sizes)
    for name, count in found:
        if rules:
            yield from MIMIR_GROUP_RULES.of(rules).exceeded(f"rule group {name}", count)
    if groups:
        yield from MIMIR_GROUPS.of(groups).exceeded("rule groups", len(found))
