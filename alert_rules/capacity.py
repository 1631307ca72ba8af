"""Alerts on what may run out: queries that an agent can take, connections to the database, room in queues."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.accounts import beyond, changed, counted
from alert_rules.agents import AGENT
from alert_rules.model import Alert, AlertGroup, Also, Flow, MetricCheck, Severity, TableCheck
from alert_rules.stories import Story, standard
from contract.settings import Settings
from contract.signals.agents import AGENT_LATENCY, AGENT_QUERIES, CAPACITY_USED, QUERIES_IN_PROGRESS
from contract.signals.http import HTTP_IN_PROGRESS
from contract.signals.stores import DB_LATENCY, POOL_ACTIVE, POOL_PENDING, POOL_USED, QUEUE_AGE, QUEUE_LENGTH

GROUP = AlertGroup("capacity_alerts", "30s")
POOL, QUEUE = ("environment", "pool"), ("environment", "queue")


def _stuck(alert: Alert, settings: Settings) -> Story:
    """Old messages, and twice as many as may wait in peace; or just as many as may."""
    about = (("queue", "notifications"),)
    story = beyond("offline_queue_oldest_message_age_seconds", about)(alert, settings)
    least = settings.thresholds.minimum_waiting
    many, few = (Flow("offline_queue_messages", story.labels, amount) for amount in (2.0 * least, float(least)))
    return replace(story, bad=(*story.bad, many), good=(*story.good, many), sparse=(*story.bad, few))


_QUEUE_SQL = """\
SELECT queue, status, attempts, count(*) AS messages, min(enqueued_at) AS oldest, max(dead_lettered_at) AS last_given_up
FROM analytics.offline_queue
WHERE enqueued_at >= :'since'
GROUP BY queue, status, attempts
ORDER BY messages DESC
LIMIT 40;"""
_USED = MetricCheck("How much of its limit does each agent use?", CAPACITY_USED, AGENT)
_POOLS = MetricCheck("How full is each pool?", POOL_USED, POOL)
_PENDING = MetricCheck("How many requests wait for a connection?", POOL_PENDING, POOL)
_SLOW = MetricCheck("Which database operations hold connections for long?", DB_LATENCY, ("environment", "operation"))
_AGES = MetricCheck("How old is the oldest message of each queue?", QUEUE_AGE, QUEUE)
_LENGTHS = MetricCheck("How many messages wait?", QUEUE_LENGTH, QUEUE)
_MESSAGES = TableCheck("Are the same messages tried again and again?", _QUEUE_SQL)

AGENT_BUSY = Alert(
    name="AgentCapacityHigh",
    group=GROUP,
    concern="agent-capacity",
    signal=CAPACITY_USED,
    by=AGENT,
    window="5m",
    comparison=">",
    threshold="capacity_ratio",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="An agent gets nearly as many queries as it can take.",
    description="Agent {agent} in {environment} uses {value} of its capacity; above {threshold} for {hold}.",
    meaning="Queries per second are close to the limit that the agent reports as `agent_capacity_requests_per_second`.",
    impact="None yet. Beyond the limit queries wait or are refused, and answers become slow for everybody.",
    checks=(
        _USED,
        MetricCheck("Who has more queries than usual?", AGENT_QUERIES, AGENT, "15m", "1d"),
        MetricCheck("How many queries are being worked on?", QUERIES_IN_PROGRESS, AGENT),
        MetricCheck("Are its answers slower already?", AGENT_LATENCY, AGENT),
    ),
    next_steps=(
        "Growth that was to be expected: add processes or raise the provider's limit, then the configured capacity.",
        "A single client sends most of it: limit that client before the others suffer.",
        "The same queries come again and again: an error upstream makes clients repeat; find that error first.",
    ),
    scenarios=standard(
        changed(
            (("agent", "billing"),),
            counted("agent_queries_total", ("status", "success"), ("version", "1.4.0")),
            of="agent_capacity_requests_per_second",
        )
    ),
)
AGENT_FULL = replace(
    AGENT_BUSY,
    name="AgentCapacityExhausted",
    threshold="capacity_ratio_critical",
    hold="2m",
    severity=Severity.CRITICAL,
    summary="An agent gets as many queries as it can take.",
    description="Agent {agent} in {environment} is at {value} of its capacity, and has been beyond {threshold} for {hold}.",
    meaning="The configured limit of queries per second is reached. It mutes AgentCapacityHigh of the agent.",
    impact="Queries queue up or are refused; users of this agent wait and try again, which adds to the load.",
)
POOL_BUSY = Alert(
    name="DatabasePoolNearlyExhausted",
    group=GROUP,
    concern="database-pool",
    signal=POOL_USED,
    by=POOL,
    window="1m",
    comparison=">",
    threshold="pool_ratio",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="A pool of database connections is nearly used up.",
    description="{value} of the connections of pool {pool} in {environment} are in use; above {threshold} for {hold}.",
    meaning="Most connections of the pool are handed out at any moment.",
    impact="None yet. When all are handed out, requests wait for one before anything else happens.",
    checks=(
        _POOLS,
        _PENDING,
        _SLOW,
        MetricCheck("Which routes have requests under way?", HTTP_IN_PROGRESS, ("environment", "handler")),
    ),
    next_steps=(
        "Database operations are slow: find the long transactions in `pg_stat_activity`; a lock often holds up all others.",
        "The number in use only rises and never falls: connections are not given back; restart the process, then mend it.",
        "More traffic and quick operations: make the pool larger, within what PostgreSQL allows over all pools.",
    ),
    scenarios=standard(beyond("db_pool_connections", (("pool", "api"),), of="db_pool_connections_max")),
)
POOL_FULL = replace(
    POOL_BUSY,
    name="DatabasePoolExhausted",
    threshold="pool_ratio_critical",
    hold="2m",
    severity=Severity.CRITICAL,
    summary="A pool of database connections is used up.",
    description="Pool {pool} in {environment} has given out {value} of its connections; beyond {threshold} for {hold}.",
    meaning="There is hardly a free connection left. It mutes DatabasePoolNearlyExhausted of the pool.",
    impact="Requests that need the database wait for others to finish, and fail when they wait too long.",
)
POOL_WAITING = replace(
    POOL_BUSY,
    name="DatabasePoolRequestsWaiting",
    signal=POOL_PENDING,
    threshold="pool_waiting",
    hold="2m",
    summary="Requests wait for a connection to the database.",
    description="{value} requests wait for a connection of pool {pool} in {environment}; more than {threshold} for {hold}.",
    meaning="All connections of the pool are in use, and a queue has formed in front of it.",
    impact="These requests lose time before their work begins. Those that wait too long fail.",
    checks=(_PENDING, _POOLS, MetricCheck("How many connections are in use?", POOL_ACTIVE, POOL), _SLOW),
    scenarios=standard(beyond("db_pool_pending_requests", (("pool", "api"),))),
)
QUEUE_OLD = Alert(
    name="QueueTooOld",
    group=GROUP,
    concern="queue",
    signal=QUEUE_AGE,
    by=QUEUE,
    window="1m",
    comparison=">",
    threshold="queue_age_seconds",
    hold="2m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    also=(Also(QUEUE_LENGTH, "1m", ">", "minimum_waiting"),),
    summary="Messages wait too long in a queue.",
    description="The oldest message of queue {queue} in {environment} has waited for {value}, and others wait behind it; up to "
    "{threshold} is normal.",
    meaning="Nobody takes messages out of the queue, or those at its head cannot be worked off. A few that fail each time and "
    "hold up no others are not told.",
    impact="What the messages were to bring about comes late: notifications, changes from phones, calls of webhooks.",
    checks=(_AGES, _LENGTHS, _MESSAGES),
    next_steps=(
        "The queue is long as well: its workers stand still or are too few; look at their log, restart or add some.",
        "The queue is short and does not grow: its oldest messages fail each time; their `attempts` grow. Set them aside.",
        "Messages for one receiver only: the receiver does not answer; nothing is lost, they go when it is back.",
    ),
    scenarios=standard(_stuck),
)
QUEUE_LONG = replace(
    QUEUE_OLD,
    name="QueueTooLong",
    signal=QUEUE_LENGTH,
    threshold="queue_messages",
    also=(),
    hold="5m",
    summary="A queue is far longer than usual.",
    description="{value} messages wait in queue {queue} in {environment}; more than {threshold} for {hold}.",
    meaning="More messages come in than are worked off.",
    impact="Each new message waits for all before it. The queue takes hours to empty when nothing is done.",
    checks=(_LENGTHS, _AGES, _MESSAGES),
    next_steps=(
        "Workers run but are slow: what they call is slow; lighten that first, more workers would make it worse.",
        "Somebody put thousands in at once (an import, a campaign): let it run, and tell those who wait.",
        "Workers stand still: restart them and watch the age of the oldest message fall.",
    ),
    scenarios=standard(beyond("offline_queue_messages", (("queue", "notifications"),))),
)

ALERTS = (AGENT_BUSY, AGENT_FULL, POOL_BUSY, POOL_FULL, POOL_WAITING, QUEUE_OLD, QUEUE_LONG)
