"""Alerts on what the platform stands on: caches, vector stores, Redis, PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.accounts import beyond, changed, counted, instead, share, slow, together
from alert_rules.model import Alert, AlertGroup, Guard, MetricCheck, Severity
from alert_rules.stories import events, level, standard
from contract.signals.stores import (
    CACHE_HIT_RATIO,
    CACHE_HITS_LEFT,
    CACHE_LATENCY,
    CACHE_LOOKUPS,
    CACHE_OPERATIONS,
    DB_LATENCY,
    DB_QUERIES,
    POSTGRES_ANSWERS,
    POSTGRES_CONNECTIONS,
    POSTGRES_CONNECTIONS_USED,
    POSTGRES_DEADLOCK_COUNT,
    REDIS_ANSWERS,
    REDIS_CLIENTS,
    REDIS_COMMANDS,
    REDIS_EVICTIONS,
    REDIS_MEMORY_USED,
    REDIS_REJECTIONS,
    VECTOR_ERROR_RATIO,
    VECTOR_FAILURES,
    VECTOR_LATENCY,
    VECTOR_OPERATIONS,
)

GROUP = AlertGroup("store_alerts", "30s")
CHANGES = AlertGroup("store_changes", "1m")
INSTANCE = ("job", "instance")
STORE, CACHE = ("environment", "store"), ("environment", "cache")
_REDIS = (("job", "redis"), ("instance", "redis:9121"))
_POSTGRES = (("job", "postgres"), ("instance", "postgres:9187"))
_HIT, _MISS = (counted("cache_operations_total", ("operation", "get"), ("result", result)) for result in ("hit", "miss"))
_REDIS_UP = MetricCheck("Which Redis servers answer?", REDIS_ANSWERS, INSTANCE)
_MEMORY = MetricCheck("How full is the memory of each?", REDIS_MEMORY_USED, INSTANCE)
_CLIENTS = MetricCheck("How many clients are connected?", REDIS_CLIENTS, INSTANCE)
_HITS = MetricCheck("How many lookups find something, cache by cache?", CACHE_HIT_RATIO, CACHE)
_CONNECTIONS = MetricCheck("Which database has the connections?", POSTGRES_CONNECTIONS, (*INSTANCE, "datname"))
_OPERATIONS = MetricCheck("Which database operations are slow?", DB_LATENCY, ("environment", "operation"))

REDIS_DOWN = Alert(
    name="RedisDown",
    group=GROUP,
    concern="redis",
    signal=REDIS_ANSWERS,
    by=INSTANCE,
    window="1m",
    comparison="<",
    threshold=1.0,
    hold="1m",
    keep_firing_for="2m",
    severity=Severity.CRITICAL,
    team="platform",
    summary="Redis does not answer.",
    description="Redis behind {instance} ({job}) has not answered its exporter for {hold}.",
    meaning="The exporter beside Redis runs, but gets no answer: the server is down, full, or has a new password.",
    impact="Sessions and cached answers are gone; every query pays for what the cache used to save, or fails.",
    checks=(_REDIS_UP, _CLIENTS, _HITS),
    next_steps=(
        "`redis-cli ping` on the host: no answer means that the process is gone; its log says whether memory ran out.",
        "It answers `NOAUTH` or `WRONGPASS`: the exporter has an old password; the platform may be well.",
        "It loads its data after a restart: `INFO persistence` says how far; wait, and keep load away from it.",
    ),
    scenarios=standard(level("redis_up", _REDIS, bad=0.0, good=1.0, still=1.0)),
)
REDIS_MEMORY = replace(
    REDIS_DOWN,
    name="RedisMemoryNearlyFull",
    concern="redis-memory",
    signal=REDIS_MEMORY_USED,
    comparison=">",
    threshold="redis_memory_ratio",
    hold="10m",
    keep_firing_for="10m",
    severity=Severity.WARNING,
    summary="Redis has nearly used up its memory.",
    description="Redis behind {instance} ({job}) uses {value} of its memory; above {threshold} for {hold}.",
    meaning="The memory limit is close. What happens there is up to the policy: keys are dropped, or writes are refused.",
    impact="None yet, or a few more misses. At the limit, sessions may be lost or writes fail.",
    checks=(_MEMORY, MetricCheck("Are keys dropped already?", REDIS_EVICTIONS, INSTANCE, "15m"), _HITS),
    next_steps=(
        "`redis-cli --bigkeys` finds what is large; keys without an end of life (`TTL` -1) should get one.",
        "A pure cache with an `allkeys-` policy lives well at its limit: raise `thresholds.redis_memory_ratio`.",
        "It holds sessions or queues as well: raise `maxmemory`, or give those a server of their own.",
    ),
    scenarios=standard(beyond("redis_memory_used_bytes", _REDIS, of="redis_memory_max_bytes")),
)
REDIS_EVICTS = replace(
    REDIS_MEMORY,
    name="RedisEvictsKeys",
    signal=REDIS_EVICTIONS,
    window="5m",
    threshold="redis_evictions",
    summary="Redis drops keys for want of memory.",
    description="Redis behind {instance} ({job}) drops keys: {value}, and more than {threshold} for {hold}.",
    meaning="New keys push out others that were still wanted.",
    impact="Cached answers are made again and again: slower and dearer. Sessions that are dropped log their users out.",
    checks=(
        _MEMORY,
        _HITS,
        MetricCheck("Are there more commands than usual?", REDIS_COMMANDS, INSTANCE, "15m", "1d"),
    ),
    next_steps=(
        "The hit ratio holds: only stale keys go, nobody suffers; raise `thresholds.redis_evictions`.",
        "The hit ratio falls: raise `maxmemory`, or shorten the life of what is written most.",
        "Writes have jumped: find the client in `CLIENT LIST`; a job that fills the cache once should not use this server.",
    ),
    scenarios=standard(changed(_REDIS, counted("redis_evicted_keys_total"))),
)
REDIS_REJECTS = replace(
    REDIS_DOWN,
    name="RedisRejectsConnections",
    signal=REDIS_REJECTIONS,
    window="5m",
    comparison=">",
    threshold=0.5,
    hold="0s",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    summary="Redis refuses connections.",
    description="Redis behind {instance} ({job}) refused {value} connections in the last {window}.",
    meaning="As many clients are connected as `maxclients` allows; whoever comes next is turned away.",
    impact="Some processes of the platform run without cache and sessions.",
    checks=(_CLIENTS, _REDIS_UP, MetricCheck("How many were refused?", REDIS_REJECTIONS, INSTANCE, "1h")),
    next_steps=(
        "`redis-cli CLIENT LIST` sorted by `addr`: a process that opens connections and never closes them; restart it.",
        "Many processes were added: raise `maxclients`, and the limit of open files with it.",
        "Set `timeout` in Redis, so that connections that nobody uses are closed.",
    ),
    scenarios=standard(events("redis_rejected_connections_total", _REDIS)),
)
POSTGRES_DOWN = replace(
    REDIS_DOWN,
    name="PostgresDown",
    concern="postgres",
    signal=POSTGRES_ANSWERS,
    summary="PostgreSQL does not answer.",
    description="PostgreSQL behind {instance} ({job}) has not answered its exporter for {hold}.",
    meaning="The exporter beside PostgreSQL runs, but cannot connect or ask.",
    impact="Without its database the platform can neither log people in nor keep what they say.",
    checks=(
        MetricCheck("Which servers answer?", POSTGRES_ANSWERS, INSTANCE),
        _CONNECTIONS,
        MetricCheck("Does the platform still ask it anything?", DB_QUERIES, ("environment", "operation"), "15m"),
    ),
    next_steps=(
        "`pg_isready` on the host: `no response` means that the server is gone; its log has the reason in the last lines.",
        "`too many clients`: end idle sessions, and follow PostgresConnectionsNearlyFull.",
        "The disk is full: make room, never in `pg_wal`; then start the server and watch it recover.",
        "There is a standby: promote it as its handbook says, and only once the old primary is surely down.",
    ),
    scenarios=standard(level("pg_up", _POSTGRES, bad=0.0, good=1.0, still=1.0)),
)
POSTGRES_FULL = replace(
    REDIS_MEMORY,
    name="PostgresConnectionsNearlyFull",
    concern="postgres-connections",
    signal=POSTGRES_CONNECTIONS_USED,
    threshold="postgres_connection_ratio",
    hold="5m",
    summary="PostgreSQL has hardly any connections left.",
    description="PostgreSQL behind {instance} ({job}) has {value} of its connections in use; above {threshold} for {hold}.",
    meaning="When all are in use, every further client is refused, administrators nearly so.",
    impact="None yet. At the limit, requests fail with `too many clients`.",
    checks=(_CONNECTIONS, MetricCheck("What is the share?", POSTGRES_CONNECTIONS_USED, INSTANCE), _OPERATIONS),
    next_steps=(
        "`SELECT state, application_name, count(*) FROM pg_stat_activity GROUP BY 1, 2 ORDER BY 3 DESC` says whose they are.",
        "Many `idle in transaction`: end them with `pg_terminate_backend`, and mend the code that forgets to commit.",
        "Pools were made larger or processes added: the sum of all pools has to stay below `max_connections`.",
    ),
    scenarios=standard(
        beyond("pg_stat_activity_count", (*_POSTGRES, ("datname", "platform")), of="pg_settings_max_connections")
    ),
)
DEADLOCKS = replace(
    REDIS_REJECTS,
    name="PostgresDeadlocks",
    concern="postgres-deadlocks",
    signal=POSTGRES_DEADLOCK_COUNT,
    by=(*INSTANCE, "datname"),
    window="15m",
    threshold="postgres_deadlocks",
    keep_firing_for="15m",
    summary="Transactions block each other until PostgreSQL ends one of them.",
    description="{value} deadlocks in {datname} behind {instance} ({job}) in the last {window}; {threshold} is the limit.",
    meaning="Two pieces of code take the same rows in a different order. PostgreSQL ends one of the transactions each time.",
    impact="Some requests fail, and succeed when they are repeated; all that touch these rows are slow.",
    checks=(
        MetricCheck("How many, and in which database?", POSTGRES_DEADLOCK_COUNT, (*INSTANCE, "datname"), "1h"),
        _OPERATIONS,
        _CONNECTIONS,
    ),
    next_steps=(
        "PostgreSQL's log names both statements under `deadlock detected`: make both take rows in the same order.",
        "A migration or a large update runs beside the usual traffic: stop it, and do it in small parts.",
        "It began with a release: roll it back.",
    ),
    scenarios=standard(events("pg_stat_database_deadlocks", (*_POSTGRES, ("datname", "platform")))),
)
CACHE_MISSES = Alert(
    name="CacheHitRatioDropped",
    group=CHANGES,
    concern="cache",
    signal=CACHE_HITS_LEFT,
    by=CACHE,
    window="5m",
    comparison="<",
    threshold="cache_hits_left",
    hold="10m",
    keep_firing_for="10m",
    severity=Severity.WARNING,
    team="platform",
    summary="A cache finds much less than it did yesterday.",
    description="The hit ratio of cache {cache} in {environment} is {value} of what it was at this time yesterday; below "
    "{threshold} for {hold}.",
    meaning="Lookups miss that used to hit: the cache was emptied, its keys have changed, or its entries live too shortly.",
    impact="Answers come later and cost more, because they are worked out anew; the database has more to do.",
    checks=(
        _HITS,
        MetricCheck("Do writes into the cache fail?", CACHE_OPERATIONS, (*CACHE, "operation", "result"), "15m"),
        MetricCheck("Is the cache itself slow?", CACHE_LATENCY, CACHE),
        MetricCheck("Does Redis drop keys?", REDIS_EVICTIONS, INSTANCE, "15m"),
    ),
    next_steps=(
        "Redis was restarted or flushed: it fills up again within the hour; watch the database meanwhile.",
        "A release changed how keys are made: expected once; if it does not recover, the new keys are too fine.",
        "Redis drops keys: follow RedisEvictsKeys.",
    ),
    scenarios=standard(
        changed(
            (("cache", "answers"),),
            instead(_HIT, _MISS),
            together(_MISS, _MISS),
        )
    ),
    guards=tuple(Guard(lookups, "5m", "minimum_lookups") for lookups in (CACHE_LOOKUPS, CACHE_LOOKUPS.shifted("1d"))),
)
VECTOR_ERRORS = Alert(
    name="VectorStoreErrorRatioHigh",
    group=GROUP,
    concern="vector-errors",
    signal=VECTOR_ERROR_RATIO,
    by=STORE,
    window="5m",
    comparison=">",
    threshold="store_error_ratio",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="A vector store fails more often than it may.",
    description="{value} of the operations of vector store {store} in {environment} failed in the last {window}; {threshold} "
    "is the limit. It has been so for {hold}.",
    meaning="Searches by meaning, or writes of new chunks, end in an error or a timeout.",
    impact="Agents answer without the documents that they should have read; new documents cannot be found.",
    checks=(
        MetricCheck("Searches or writes?", VECTOR_ERROR_RATIO, (*STORE, "operation")),
        MetricCheck("How do operations end?", VECTOR_OPERATIONS, (*STORE, "operation", "status"), "15m"),
        MetricCheck("Are they slow as well?", VECTOR_LATENCY, (*STORE, "operation")),
    ),
    next_steps=(
        "Only writes: the dimension of the embeddings has changed with a model, or the disk is full.",
        "Only searches, by timeout: an index is missing or being built; see VectorStoreSlow.",
        "Everything: for pgvector look at PostgreSQL itself, for a hosted store at its status page and the key.",
    ),
    scenarios=standard(
        share(
            (("store", "pgvector"),),
            wrong=counted("vector_store_operations_total", ("operation", "search"), ("status", "timeout")),
            right=counted("vector_store_operations_total", ("operation", "search"), ("status", "success")),
        )
    ),
    guards=(Guard(VECTOR_FAILURES, "5m", "minimum_failures"),),
)
VECTOR_SLOW = replace(
    VECTOR_ERRORS,
    name="VectorStoreSlow",
    concern="vector-latency",
    signal=VECTOR_LATENCY,
    by=(*STORE, "operation"),
    threshold="vector_seconds",
    hold="10m",
    summary="A vector store is slow.",
    description="The slowest 5% of the {operation} operations of vector store {store} in {environment} took longer than "
    "{value} in the last {window}; {threshold} is the limit, and it has been passed for {hold}.",
    meaning="An index by meaning should answer in some hundredths of a second. It reads everything, or waits for others.",
    impact="Every answer that needs documents waits for it.",
    checks=(
        MetricCheck("Which operations are slow?", VECTOR_LATENCY, (*STORE, "operation")),
        MetricCheck("Are there more of them than usual?", VECTOR_OPERATIONS, (*STORE, "operation"), "1h", "1d"),
        _OPERATIONS,
    ),
    next_steps=(
        "Searches in pgvector: `EXPLAIN ANALYZE` one of them; `Seq Scan` says that the index is missing or not used.",
        "The index no longer fits into memory: raise `shared_buffers`, or leave out old documents.",
        "Writes are slow while many documents come in: let the import run slower, or at night.",
    ),
    scenarios=standard(
        slow(
            (("operation", "search"), ("store", "pgvector")),
            counted("vector_store_operations_total", ("status", "success")),
        )
    ),
    guards=(Guard(VECTOR_OPERATIONS, "5m", "minimum_operations"),),
)

ALERTS = (
    REDIS_DOWN, REDIS_MEMORY, REDIS_EVICTS, REDIS_REJECTS, POSTGRES_DOWN, POSTGRES_FULL, DEADLOCKS, CACHE_MISSES,
    VECTOR_ERRORS, VECTOR_SLOW,
)  # fmt: skip
