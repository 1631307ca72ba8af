"""Alerts on the watchers: Prometheus evaluates its rules, Alertmanager delivers, and a signal of life that never stops.

When one of these fires, silence elsewhere means nothing. The Watchdog fires always: whoever receives it raises the alarm when
it ends, for then nothing here can.
"""

from __future__ import annotations

from dataclasses import replace

from alert_rules.model import Alert, AlertGroup, Also, Flow, Kind, MetricCheck, Phase, Scenario, Severity
from alert_rules.stories import MINUTE, Story, events, level, standard
from contract.settings import Settings
from contract.signals.sources import (
    ALERTMANAGER_LOADED,
    ALWAYS,
    NOTIFICATIONS_DROPPED,
    NOTIFICATIONS_FAILED,
    PROMETHEUS_LOADED,
    RULE_DURATION_SHARE,
    RULE_FAILURES,
    RULES_MISSED,
    SAMPLES_AGAINST_BEFORE,
    SAMPLES_SCRAPED,
    TARGET_UP,
)

GROUP = AlertGroup("watching_alerts", "30s")
RULES, INTEGRATION, INSTANCE = ("rule_group",), ("integration",), ("job", "instance")
_GROUP_LABELS = (("rule_group", "rules/agent_rates.yml;agent_rates"),)
_PROMETHEUS = (("instance", "127.0.0.1:9090"), ("job", "prometheus"))
_ALERTMANAGER = (("instance", "127.0.0.1:9093"), ("job", "alertmanager"))
_SHARES = MetricCheck("How much of their interval do the groups take?", RULE_DURATION_SHARE, RULES)
_FAILURES = MetricCheck("Which groups have failing rules?", RULE_FAILURES, RULES, "15m")
_MISSED = MetricCheck("Which groups left evaluations out?", RULES_MISSED, RULES, "15m")
_TARGETS = MetricCheck("Which targets answer?", TARGET_UP, INSTANCE)
_UNSENT = MetricCheck("Which ways fail, and how often?", NOTIFICATIONS_FAILED, ("integration", "instance"), "15m")
_DROPPED = MetricCheck("Does Prometheus reach Alertmanager?", NOTIFICATIONS_DROPPED, ("instance",), "15m")


def _watched(_alert: Alert, settings: Settings) -> tuple[Scenario, ...]:
    """It fires whatever happens: that is its whole meaning."""
    up = Flow("up", (("environment", settings.environments[0]), *_PROMETHEUS), 1.0)
    lives = Phase(5 * MINUTE, (up,))
    stories = {
        Kind.FIRES: ("all is well", (lives,)),
        Kind.QUIET: ("nothing else fires, and it does", (lives,)),
        Kind.RECOVERS: ("a target goes and comes back", (lives, Phase(MINUTE, (replace(up, amount=0.0),)), lives)),
        Kind.NO_TRAFFIC: ("nothing happens on the platform", (lives,)),
        Kind.NO_DATA: ("nothing was ever scraped", (Phase(5 * MINUTE, None),)),
        Kind.SOURCE_LOST: ("every target is gone", (lives, Phase(10 * MINUTE, None))),
    }
    return tuple(
        Scenario(kind, story, (), phases, (), ((0.0, 1.0), (sum(phase.seconds for phase in phases), 1.0)))
        for kind, (story, phases) in stories.items()
    )


def _slow(alert: Alert, settings: Settings) -> Story:
    limit = alert.limit(settings)
    interval = Flow("prometheus_rule_group_interval_seconds", (*_GROUP_LABELS, *_PROMETHEUS), 16.0)

    def takes(share: float) -> tuple[Flow, ...]:
        return (replace(interval, series="prometheus_rule_group_last_duration_seconds", amount=16.0 * share), interval)

    share = (1 + limit) / 2
    return Story(_GROUP_LABELS, takes(share), takes(limit / 2), share)


def _shrunk(alert: Alert, settings: Settings) -> Story:
    """A page of metrics that had 1,000 samples an hour ago."""
    limit = alert.limit(settings)
    target = (("environment", settings.environments[0]), ("instance", "127.0.0.1:9470"), ("job", "platform"))
    whole, part = (Flow("scrape_samples_scraped", target, amount) for amount in (1000.0, 500.0 * limit))
    return Story(target, (part,), (whole,), limit / 2, still=(whole,), lead=3600.0)


RULES_FAIL = Alert(
    name="RuleEvaluationFailing",
    group=GROUP,
    concern="rules",
    signal=RULE_FAILURES,
    by=RULES,
    window="5m",
    comparison=">",
    threshold=0.0,
    hold="1m",
    keep_firing_for="5m",
    severity=Severity.CRITICAL,
    team="platform",
    summary="Rules cannot be evaluated.",
    description="{value} evaluations in {rule_group} failed within {window}.",
    meaning="Prometheus gets an error when it evaluates rules of this group, so their series and alerts do not exist.",
    impact="Alerts of this group cannot fire, whatever happens; panels on its series are empty.",
    checks=(_FAILURES, _MISSED, _SHARES),
    next_steps=(
        "Prometheus' page Status > Rules shows the error beside the rule. `many-to-many matching`: two targets give the same "
        "series twice; look for a target that is listed under two jobs.",
        "`query processing would load too many samples`: a label has grown; see LabelsOverflow.",
        "It began with a deployment of rules: put the earlier build back, then look at the difference.",
    ),
    scenarios=standard(events("prometheus_rule_evaluation_failures_total", _GROUP_LABELS)),
)
RULES_SLOW = Alert(
    name="RuleEvaluationSlow",
    group=GROUP,
    concern="rules",
    signal=RULE_DURATION_SHARE,
    by=RULES,
    window="1m",
    comparison=">",
    threshold="rule_duration_share",
    hold="10m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="A rule group takes most of its interval.",
    description="The group {rule_group} takes {value} of its interval; beyond 100% evaluations are left out.",
    meaning="The rules of the group read more series than when they were written, or Prometheus is short of processor or disk.",
    impact="Nothing yet. Beyond the interval, alerts come late and recorded series have holes.",
    checks=(_SHARES, _MISSED, _FAILURES),
    next_steps=(
        "One group: draw the number of series of its metrics; a label with many new values is the usual reason.",
        "All groups: look at Prometheus' processor, memory and disk, and at who else asks it heavy questions.",
        "It is simply larger now: give the group a longer interval, or split it.",
    ),
    scenarios=standard(_slow),
)
RULES_LEFT_OUT = replace(
    RULES_FAIL,
    name="RuleEvaluationsMissed",
    signal=RULES_MISSED,
    hold="5m",
    severity=Severity.WARNING,
    summary="Rules are evaluated less often than they should be.",
    description="{value} evaluations of {rule_group} were left out within {window}.",
    meaning="An evaluation was still running when the next one was due, so the next one was left out.",
    impact="Alerts of this group come late, and its recorded series have holes.",
    checks=(_MISSED, _SHARES, _FAILURES),
    next_steps=(
        "Follow RuleEvaluationSlow: a group that takes longer than its interval misses the next one.",
        "It happens at fixed times only: something heavy runs then, such as a backup or a compaction.",
    ),
    scenarios=standard(events("prometheus_rule_group_iterations_missed_total", _GROUP_LABELS)),
)
UNDELIVERED = Alert(
    name="NotificationsFailing",
    group=GROUP,
    concern="delivery",
    signal=NOTIFICATIONS_FAILED,
    by=INTEGRATION,
    window="15m",
    comparison=">",
    threshold=0.0,
    hold="1m",
    keep_firing_for="15m",
    severity=Severity.CRITICAL,
    team="platform",
    summary="Alertmanager cannot deliver.",
    description="{value} messages by {integration} failed within {window}; people are not told by this way.",
    meaning="Alertmanager gets errors from this way of telling people: a refused login, a channel that is gone, no network.",
    impact="Alerts fire and nobody hears of them by this way. This message may reach you by the other one only.",
    checks=(_UNSENT, _DROPPED, _TARGETS),
    next_steps=(
        "Alertmanager's log names the receiver and the answer. Slack: `channel_not_found` or `invalid_token`; make a new "
        "webhook and put it into the secret's file.",
        "Mail: a login that was refused, or a certificate; try the server by hand from the same machine.",
        "Until it works: watch the list of firing alerts on the tab of alerts, and tell the others.",
    ),
    scenarios=standard(events("alertmanager_notifications_failed_total", (("integration", "slack"),))),
)
DROPPED = replace(
    UNDELIVERED,
    name="NotificationsDropped",
    signal=NOTIFICATIONS_DROPPED,
    by=INSTANCE,
    summary="Prometheus cannot hand its alerts to Alertmanager.",
    description="{job} {instance} dropped {value} alerts within {window}.",
    meaning="Prometheus found no Alertmanager that takes its alerts, and its queue is full.",
    impact="Alerts fire and nobody hears of them by any way. The dead man's switch tells, if there is one.",
    checks=(_DROPPED, _TARGETS, MetricCheck("Does Alertmanager run with its configuration?", ALERTMANAGER_LOADED, INSTANCE)),
    next_steps=(
        "Is Alertmanager running? Its log ends with the reason when it refused its configuration.",
        "Prometheus' page Status > Targets, below Alertmanagers, shows the address that it uses; compare with "
        "`sources.alertmanager`.",
        "Both run: look at the network between them, and at certificates.",
    ),
    scenarios=standard(events("prometheus_notifications_dropped_total", _PROMETHEUS)),
)
PROMETHEUS_STALE = Alert(
    name="PrometheusConfigurationOld",
    group=GROUP,
    concern="configuration",
    signal=PROMETHEUS_LOADED,
    by=INSTANCE,
    window="1m",
    comparison="<",
    threshold=1.0,
    hold="5m",
    keep_firing_for="2m",
    severity=Severity.WARNING,
    team="platform",
    summary="Prometheus refused its new configuration.",
    description="{job} {instance} runs with an earlier configuration: the one on disk was refused {hold} ago or earlier.",
    meaning="The last reload failed, so the rules and targets in force are those from before.",
    impact="What was changed last is not in force: a new alert cannot fire. At the next start it will not come up at all.",
    checks=(
        MetricCheck("Which Prometheus?", PROMETHEUS_LOADED, INSTANCE),
        MetricCheck("And Alertmanager?", ALERTMANAGER_LOADED, INSTANCE),
        _FAILURES,
    ),
    next_steps=(
        "Its log names the file and the line. `promtool check config` says the same before anything is loaded.",
        "Run `observatory check` on what was deployed; hand-made files beside it are not checked.",
        "Put the earlier build back if it takes longer than a few minutes.",
    ),
    scenarios=standard(level("prometheus_config_last_reload_successful", _PROMETHEUS, bad=0.0, good=1.0, still=1.0)),
)
ALERTMANAGER_STALE = replace(
    PROMETHEUS_STALE,
    name="AlertmanagerConfigurationOld",
    signal=ALERTMANAGER_LOADED,
    summary="Alertmanager refused its new configuration.",
    meaning="The last reload failed, so routes, receivers and templates in force are those from before.",
    impact="Alerts may go to people who are no longer on duty. At the next start it will not come up at all.",
    checks=(PROMETHEUS_STALE.checks[1], PROMETHEUS_STALE.checks[0], _UNSENT),
    next_steps=(
        "Its log names the line. `amtool check-config` says the same before anything is loaded.",
        "A secret's file is missing: every `*_file` has to exist and be readable for Alertmanager's user.",
        "Put the earlier build back if it takes longer than a few minutes.",
    ),
    scenarios=standard(level("alertmanager_config_last_reload_successful", _ALERTMANAGER, bad=0.0, good=1.0, still=1.0)),
)
SCRAPE_SHRANK = Alert(
    name="ScrapeShrank",
    group=GROUP,
    concern="scrape",
    signal=SAMPLES_AGAINST_BEFORE,
    by=("environment", *INSTANCE),
    window="1m",
    comparison="<",
    threshold="samples_left",
    hold="5m",
    keep_firing_for="30m",
    severity=Severity.WARNING,
    team="platform",
    summary="A target gives far fewer figures than before.",
    description="{instance} of {job} {environment} gives {value} of the samples that it gave an hour ago.",
    meaning="The target answers, but many of its metrics are gone: they were renamed or removed, or a part of it does not run.",
    impact="Alerts and panels on the missing metrics are empty, which looks like peace.",
    checks=(
        MetricCheck("How much did each target lose?", SAMPLES_AGAINST_BEFORE, ("environment", *INSTANCE)),
        MetricCheck("How many samples does each give?", SAMPLES_SCRAPED, ("environment", *INSTANCE)),
        _TARGETS,
    ),
    next_steps=(
        "`observatory doctor` says which metrics of the contract are missing and which panels and alerts that leaves empty.",
        "A deployment renamed metrics: `observatory doctor --suggest` finds the new names and writes the `naming:` for them.",
        "A worker of the platform does not run: its metrics come back with it.",
        "The process started a moment ago: its series appear with the first events; look again in ten minutes.",
    ),
    scenarios=standard(_shrunk),
    also=(Also(TARGET_UP, "1m", ">", 0.0),),  # of one that does not answer, TargetDown tells: it gives none at all
)
WATCHDOG = Alert(
    name="Watchdog",
    group=GROUP,
    concern="watchdog",
    signal=ALWAYS,
    by=(),
    window="1m",
    comparison=">",
    threshold=0.0,
    hold="0s",
    severity=Severity.INFO,
    team="platform",
    summary="Prometheus evaluates rules and reaches Alertmanager.",
    description="This alert fires always. When it ends, the alerting is broken.",
    meaning="A signal of life: Prometheus evaluates its rules, and hands alerts to Alertmanager, which calls the dead "
    "man's switch.",
    impact="None while it fires. When it stops, no alert of any kind reaches anybody.",
    checks=(_DROPPED, _TARGETS, _FAILURES),
    next_steps=(
        "The switch raised the alarm: is Prometheus running, is Alertmanager, and do they reach each other and the switch?",
        "All three are well: look at the switch itself, and at the address in `notifications`.",
    ),
    scenarios=_watched,
)

ALERTS = (
    RULES_FAIL, RULES_SLOW, RULES_LEFT_OUT, UNDELIVERED, DROPPED, PROMETHEUS_STALE, ALERTMANAGER_STALE, SCRAPE_SHRANK, WATCHDOG,
)  # fmt: skip
