"""What the platform stands on: database, caches, vector stores, edge functions, queues."""

from __future__ import annotations

from contract.signals.agents import FAILED_STATUS
from contract.signals.model import Change, Count, Level, Quantile, Quotient, Rate, Ratio, Sum, equal, like

DB_QUERIES = Rate("db_queries", "Database operations", "Database operations per second", "ops", "db_query_duration_seconds")
DB_LATENCY = Quantile(
    "db_latency_p95", "p95", "95th percentile of the time of a database operation", "s", "db_query_duration_seconds", 0.95
)
POOL_ACTIVE = Level(
    "pool_active",
    "In use",
    "Connections of a pool that are in use",
    "short",
    "db_pool_connections",
    (equal("state", "active"),),
)
POOL_SIZE = Level("pool_size", "Size", "Greatest number of connections of a pool", "short", "db_pool_connections_max")
POOL_USED = Quotient(
    "pool_used",
    "Pool in use",
    "Connections in use / greatest number of connections of a pool",
    "percentunit",
    POOL_ACTIVE,
    POOL_SIZE,
)
POOL_PENDING = Level("pool_pending", "Waiting", "Requests that wait for a connection", "short", "db_pool_pending_requests")
CACHE_OPERATIONS = Rate("cache_operations", "Cache operations", "Cache operations per second", "ops", "cache_operations_total")
CACHE_LOOKUPS = Rate(
    "cache_lookups",
    "Lookups",
    "Lookups in caches per second",
    "ops",
    "cache_operations_total",
    (like("result", "hit|miss"),),
)
CACHE_HITS = Rate(
    "cache_hits", "Hits", "Lookups in caches that found something, per second", "ops", "cache_operations_total",
    (equal("result", "hit"),),
)  # fmt: skip
CACHE_HIT_RATIO = Ratio(
    "cache_hit_ratio", "Hit ratio", "Lookups that found something / lookups", "percentunit", CACHE_HITS, CACHE_LOOKUPS
)
CACHE_LATENCY = Quantile(
    "cache_latency_p95",
    "p95",
    "95th percentile of the time of a cache operation",
    "s",
    "cache_operation_duration_seconds",
    0.95,
)
VECTOR_OPERATIONS = Rate(
    "vector_operations",
    "Vector store operations",
    "Vector store operations per second",
    "ops",
    "vector_store_operations_total",
)
VECTOR_FAILURES = Rate(
    "vector_failures",
    "Failed operations",
    "Vector store operations that failed or timed out, per second",
    "ops",
    "vector_store_operations_total",
    (FAILED_STATUS,),
)
VECTOR_ERROR_RATIO = Ratio(
    "vector_error_ratio",
    "Error ratio",
    "Vector store operations that failed or timed out / operations",
    "percentunit",
    VECTOR_FAILURES,
    VECTOR_OPERATIONS,
)
VECTOR_LATENCY = Quantile(
    "vector_latency_p95",
    "p95",
    "95th percentile of the time of a vector store operation",
    "s",
    "vector_store_operation_duration_seconds",
    0.95,
)
EDGE_INVOCATIONS = Rate(
    "edge_invocations", "Edge function calls", "Edge function calls per second", "reqps", "edge_function_invocations_total"
)
EDGE_FAILURES = Rate(
    "edge_failures",
    "Failed calls",
    "Edge function calls that failed or timed out, per second",
    "reqps",
    "edge_function_invocations_total",
    (like("status", "error|timeout|5.."),),
)
EDGE_ERROR_RATIO = Ratio(
    "edge_error_ratio",
    "Error ratio",
    "Edge function calls that failed or timed out / calls",
    "percentunit",
    EDGE_FAILURES,
    EDGE_INVOCATIONS,
)
EDGE_LATENCY = Quantile(
    "edge_latency_p95",
    "p95",
    "95th percentile of the time of an edge function call",
    "s",
    "edge_function_duration_seconds",
    0.95,
)
QUEUE_LENGTH = Level("queue_length", "Waiting", "Messages that wait in a queue", "short", "offline_queue_messages")
QUEUE_AGE = Level(
    "queue_age",
    "Oldest",
    "Age of the oldest waiting message",
    "s",
    "offline_queue_oldest_message_age_seconds",
    operator="max",
)
REDIS_ANSWERS = Level("redis_answers", "Redis", "1 while Redis answers", "none", "redis_up", operator="min")
REDIS_MEMORY = Level("redis_memory", "Memory", "Memory that Redis uses", "bytes", "redis_memory_used_bytes")
REDIS_MEMORY_LIMIT = Level("redis_memory_limit", "Limit", "Memory that Redis may use", "bytes", "redis_memory_max_bytes")
REDIS_MEMORY_USED = Quotient(
    "redis_memory_used",
    "Memory in use",
    "Memory that Redis uses / memory that it may use, where a limit is set",
    "percentunit",
    REDIS_MEMORY,
    REDIS_MEMORY_LIMIT,
)
REDIS_CLIENTS = Level("redis_clients", "Clients", "Clients connected to Redis", "short", "redis_connected_clients")
REDIS_HITS = Rate("redis_hits", "Hits", "Keys that Redis found, per second", "ops", "redis_keyspace_hits_total")
REDIS_MISSES = Rate("redis_misses", "Misses", "Keys that Redis did not find, per second", "ops", "redis_keyspace_misses_total")
REDIS_LOOKUPS = Sum(
    "redis_lookups", "Lookups", "Keys that were looked for in Redis, per second", "ops", (REDIS_HITS, REDIS_MISSES)
)
REDIS_HIT_RATIO = Quotient(
    "redis_hit_ratio",
    "Hit ratio",
    "Keys that Redis found / keys that were looked for",
    "percentunit",
    REDIS_HITS,
    REDIS_LOOKUPS,
)
REDIS_EVICTIONS = Rate(
    "redis_evictions", "Evictions", "Keys that Redis dropped for want of memory, per second", "ops", "redis_evicted_keys_total"
)
REDIS_REJECTED = Rate(
    "redis_rejected",
    "Rejected connections",
    "Connections that Redis refused because it had too many, per second",
    "ops",
    "redis_rejected_connections_total",
)
REDIS_COMMANDS = Rate("redis_commands", "Commands", "Commands of Redis per second", "ops", "redis_commands_processed_total")
POSTGRES_ANSWERS = Level("postgres_answers", "PostgreSQL", "1 while PostgreSQL answers", "none", "pg_up", operator="min")
POSTGRES_CONNECTIONS = Level(
    "postgres_connections", "Connections", "Connections to PostgreSQL", "short", "pg_stat_activity_count"
)
POSTGRES_CONNECTION_LIMIT = Level(
    "postgres_connection_limit", "Limit", "Connections that PostgreSQL allows", "short", "pg_settings_max_connections"
)
POSTGRES_CONNECTIONS_USED = Quotient(
    "postgres_connections_used",
    "Connections in use",
    "Connections to PostgreSQL / connections that it allows",
    "percentunit",
    POSTGRES_CONNECTIONS,
    POSTGRES_CONNECTION_LIMIT,
)
POSTGRES_SIZE = Level("postgres_size", "Size", "Size of a database", "bytes", "pg_database_size_bytes")
POSTGRES_DEADLOCKS = Rate("postgres_deadlocks", "Deadlocks", "Deadlocks per second", "ops", "pg_stat_database_deadlocks")
POSTGRES_DEADLOCK_COUNT = Count(
    "postgres_deadlock_count", "Deadlocks", "Deadlocks of PostgreSQL", "events", "pg_stat_database_deadlocks"
)
REDIS_REJECTIONS = Count(
    "redis_rejections",
    "Rejected connections",
    "Connections that Redis refused because it had too many",
    "events",
    "redis_rejected_connections_total",
)
CACHE_HITS_LEFT = Change(
    "cache_hits_left", "Hit ratio against yesterday", "Hit ratio / the one at the same time yesterday", "percentunit",
    CACHE_HIT_RATIO, "1d",
)  # fmt: skip
TABLE_SIZE = Level("table_size", "Size of tables", "Size of tables with their indexes", "bytes", "platform_table_size_bytes")
