"""The figures that stream: what goes on at this moment."""

from __future__ import annotations

from api.catalogue.model import Query, count, number, text
from api.catalogue.single import FAILED

_ENDED = "e.start_time > now() - interval '1 hour' AND e.end_time > now() - interval '1 minute' AND e.end_time <= now()"

LIVE = Query(
    "live.now",
    "What goes on now, by environment",
    (
        text("environment", "Environment"),
        count("active_conversations", "Conversations that began in the last day and have not ended"),
        count("running", "Executions that began in the last hour and have not ended"),
        count("executions", "Executions that ended in the last minute"),
        number("executions_per_second", "The same for each second", "ops"),
        count("errors", "Of these, failed or timed out"),
    ),
    f"""
SELECT coalesce(w.environment, t.environment) AS environment, coalesce(t.active, 0) AS active_conversations,
       coalesce(w.running, 0) AS running, coalesce(w.executions, 0) AS executions,
       coalesce(w.executions, 0)::float8 / 60 AS executions_per_second, coalesce(w.errors, 0) AS errors
FROM (SELECT e.environment, count(*) FILTER (WHERE e.end_time IS NULL) AS running,
             count(*) FILTER (WHERE {_ENDED}) AS executions, count(*) FILTER (WHERE {_ENDED} AND {FAILED}) AS errors
      FROM analytics.agent_executions e WHERE e.start_time > now() - interval '1 hour' GROUP BY 1) w
FULL JOIN (SELECT c.environment, count(*) AS active FROM analytics.conversations c
           WHERE c.created_at > now() - interval '1 day' AND c.ended_at IS NULL GROUP BY 1) t USING (environment)
WHERE {{chosen}}
""".strip(),
    "environment",
    {"environment": "coalesce(w.environment, t.environment)"},
    ttl=1,
)
