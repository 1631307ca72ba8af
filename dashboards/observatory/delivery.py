"""The way from a rule to a person: evaluation, and notifications."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.sources import (
    NOTIFICATIONS_DROPPED,
    NOTIFICATIONS_FAILED,
    RULE_DURATION_SHARE,
    RULE_FAILURES,
    RULES_MISSED,
)
from dashboards.lib import colours
from dashboards.lib.field import lines
from dashboards.lib.figures import Stat
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask, series
from dashboards.observatory.signals import NOTIFIED, VERSIONS

_GROUP = r'label_replace({}, "group", "$1", "rule_group", ".*;(.*)")'


def rule_share(settings: Settings) -> Panel:
    limit = settings.thresholds.rule_duration_share
    shares = _GROUP.format(ask(RULE_DURATION_SHARE, ("rule_group",)))
    return TimeSeries(
        name="rule_share",
        title=f"Rule groups: share of their interval (alert above {limit:.0%})",
        description="How much of its interval each of the eight slowest groups takes. Beyond 100 % evaluations are left out.",
        targets=(PromQuery(expr=f"topk(8, {shares})", legend="{{group}}"),),
        unit="percentunit",
        limits=lines((limit, colours.DEGRADED)),
        drawn="dashed",
        no_value="Prometheus does not scrape itself",
        calculations=("lastNotNull", "max"),
    )


def rule_failures() -> Panel:
    parts = {"failed": ask(RULE_FAILURES), "left out": ask(RULES_MISSED)}
    return TimeSeries(
        name="rule_failures",
        title="Evaluations that failed or were left out",
        description="Anything but zero means that alerts cannot fire. See RuleEvaluationFailing and RuleEvaluationsMissed.",
        targets=(PromQuery(expr=union("part", parts), legend="{{part}}"),),
        unit="short",
        soft_maximum=1,
        style="bars",
        no_value="Prometheus does not scrape itself",
        calculations=("max",),
    )


def notifications() -> Panel:
    parts = {
        "delivered or tried": ask(NOTIFIED, (), "5m") + " * 300",
        "failed": ask(NOTIFICATIONS_FAILED, (), "5m"),
        "dropped before": ask(NOTIFICATIONS_DROPPED, (), "5m"),
    }
    return TimeSeries(
        name="notifications",
        title="Notifications in five minutes",
        description="Messages that Alertmanager tried to deliver, those that failed, and alerts that never reached it. See "
        "NotificationsFailing and NotificationsDropped.",
        targets=(PromQuery(expr=union("part", parts), legend="{{part}}"),),
        unit="short",
        no_value="Alertmanager is not scraped",
        calculations=("lastNotNull", "max"),
    )


def failures_by_way() -> Panel:
    return TimeSeries(
        name="delivery_failures",
        title="Failed notifications by way and reason",
        description="Messages that Alertmanager could not deliver: a chat or mail server that refuses, or an address that is "
        "wrong. Alertmanager's log has the answer that it got. See NotificationsFailing.",
        targets=(series(NOTIFICATIONS_FAILED, ("integration", "reason"), window="15m", legend="{{integration}} {{reason}}"),),
        unit="short",
        style="bars",
        soft_maximum=1,
        no_value="Alertmanager is not scraped, or delivers nothing",
        calculations=("max",),
    )


def versions() -> Panel:
    return Stat(
        name="versions",
        title="Versions",
        description="Which Prometheus and which Alertmanager run. The rules are written for Prometheus 2.42 and 3.",
        targets=tuple(
            series(signal, ("version",), legend=f"{signal.key.split('_', 1)[0].capitalize()} {{{{version}}}}", instant=True)
            for signal in VERSIONS
        ),
        unit="none",
        no_value="they do not scrape themselves",
        shown="name",
        direction="horizontal",
        value_size=18,
        width=5,
    )
