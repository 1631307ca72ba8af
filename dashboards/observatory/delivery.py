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
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.promql import union
from dashboards.lib.queries import PromQuery, ask
from dashboards.observatory.signals import NOTIFIED

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
        style="bars",
        no_value="Prometheus does not scrape itself",
        calculations=("sum",),
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
