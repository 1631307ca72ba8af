"""What advice rests on, asked of schema `analytics`: a few hundred rows of sums, of the last whole days (UTC).

Each question gives one JSON array. Requests with a trace are a sample, the same for everybody, where there are many of them.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours

from __future__ import annotations

from datetime import datetime, timedelta

from psycopg import sql

from contract.advice import DAYS, LEAST_REQUESTS, RECENT_DAYS
from contract.grades import LEAST_CALLS
from contract.status import SUCCESS, TIMEOUT, sql_normalise
from exporters.outlook.series import midnight

MOST_REQUESTS = 50_000
"""Requests with a trace of which the steps are read."""

_CALLS = f"""
SELECT environment, agent, prompt_name AS prompt, prompt_version AS version, model, count(*) AS n,
       avg(total_cost_usd)::float8 AS cost, var_samp(total_cost_usd::float8) AS cost_variance,
       avg(latency_ms) / 1000 AS seconds, var_samp(latency_ms / 1000) AS seconds_variance
FROM analytics.llm_calls
WHERE started_at >= {{since}} AND started_at < {{until}} AND prompt_name IS NOT NULL AND total_cost_usd IS NOT NULL
      AND latency_ms IS NOT NULL AND status = '{SUCCESS}'
GROUP BY environment, agent, prompt_name, prompt_version, model HAVING count(*) >= {LEAST_CALLS}
"""
_SCORES = """
SELECT environment, agent, prompt_name AS prompt, model, count(*) AS n, avg(value) AS mean, var_samp(value) AS variance
FROM analytics.llm_scores
WHERE at >= {since} AND at < {until} AND value BETWEEN 0 AND 1 AND agent IS NOT NULL AND prompt_name IS NOT NULL
      AND model IS NOT NULL
GROUP BY environment, agent, prompt_name, model
"""
_CACHES = f"""
SELECT environment, agent, model, to_char(date_trunc('day', started_at, 'UTC') AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day,
       sum(input_tokens)::float8 AS input, sum(cache_read_tokens)::float8 AS cached
FROM analytics.llm_calls
WHERE started_at >= {{since}} AND started_at < {{until}} AND status = '{SUCCESS}' AND output_tokens > 0
GROUP BY environment, agent, model, 4 HAVING count(*) >= {LEAST_REQUESTS}
"""
_PRICES = """
SELECT named.model, (max(p.usd_per_million) FILTER (WHERE p.usage_type = 'input'))::float8 AS input,
       (min(p.usd_per_million) FILTER (WHERE p.usage_type ~ 'cache' AND p.usage_type !~ 'creation|write'))::float8 AS cached
FROM (SELECT used.model, min(p.model_pattern) AS pattern
      FROM (SELECT DISTINCT model FROM analytics.model_usage_statistics WHERE day >= {since} AND day < {until}) AS used
      JOIN analytics.model_prices p ON used.model ~ p.model_pattern WHERE p.valid_to IS NULL GROUP BY used.model) AS named
JOIN analytics.model_prices p ON p.model_pattern = named.pattern AND p.valid_to IS NULL
GROUP BY named.model
"""
_PARTS = f"""
WITH kept AS (
  SELECT greatest(1, ceil(count(*) / {MOST_REQUESTS}.0))::int AS one_of FROM analytics.traces
  WHERE started_at >= {{since}} AND started_at < {{until}}
), requests AS MATERIALIZED (
  SELECT t.trace_id, t.environment, a.name AS agent, date_trunc('day', t.started_at, 'UTC') AS day, t.latency_ms
  FROM analytics.traces t JOIN analytics.agents a ON a.id = t.agent_id CROSS JOIN kept
  WHERE t.started_at >= {{since}} AND t.started_at < {{until}} AND t.latency_ms IS NOT NULL
        AND (kept.one_of = 1 OR abs(hashtext(t.trace_id)::bigint) % kept.one_of = 0)
), days AS (
  SELECT environment, agent, day, count(*) AS requests, avg(latency_ms) / 1000 AS whole FROM requests
  GROUP BY environment, agent, day HAVING count(*) >= {LEAST_REQUESTS}
), parts AS (
  SELECT r.environment, r.agent, r.day, s.phase AS part, sum(s.duration_ms) / 1000 AS seconds
  FROM requests r CROSS JOIN LATERAL
       (SELECT p.phase, p.duration_ms FROM analytics.trace_spans p
        WHERE p.trace_id = r.trace_id AND p.kind = 'phase' AND p.phase IS NOT NULL OFFSET 0) s
  GROUP BY r.environment, r.agent, r.day, s.phase
)
SELECT p.environment, p.agent, p.part, d.requests * kept.one_of AS requests, p.seconds / d.requests AS seconds, d.whole,
       p.day >= {{recent}} AS recent
FROM parts p JOIN days d USING (environment, agent, day) CROSS JOIN kept
"""
_STATUS = sql_normalise("status")
_LIMITS = f"""
SELECT environment, agent_name AS agent, count(*) FILTER (WHERE {_STATUS} = '{SUCCESS}') AS succeeded,
       max(duration_ms) FILTER (WHERE {_STATUS} = '{SUCCESS}') / 1000 AS slowest,
       count(*) FILTER (WHERE {_STATUS} = '{TIMEOUT}') AS given_up,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE {_STATUS} = '{TIMEOUT}') / 1000 AS "limit"
FROM analytics.agent_executions
WHERE end_time >= {{recent}} AND end_time < {{until}} AND duration_ms IS NOT NULL
GROUP BY environment, agent_name
"""
_TEXTS = {
    "calls": _CALLS, "scores": _SCORES, "caches": _CACHES, "prices": _PRICES, "parts": _PARTS, "limits": _LIMITS,
}  # fmt: skip


def questions(now: datetime) -> dict[str, sql.Composed]:
    """Each question as a statement of one row and one column."""
    until = midnight(now)
    bounds = {
        "since": sql.Literal(until - timedelta(days=DAYS)),
        "recent": sql.Literal(until - timedelta(days=RECENT_DAYS)),
        "until": sql.Literal(until),
    }
    return {
        name: sql.SQL("SELECT coalesce(json_agg(found), '[]') FROM ({}) AS found").format(sql.SQL(text).format(**bounds))
        for name, text in _TEXTS.items()
    }
