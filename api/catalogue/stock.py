"""Named queries about tickets, documents, feedback, scores and prices that read rows: how things stand, and exact times."""

from __future__ import annotations

from api.catalogue.model import FROM_LEDGER, Query, count, number, seconds, share, text, time, usd
from contract.definitions import BACKLOG_AGE_BOUNDS_DAYS, DEFINITIONS, TICKET_OPEN_STATUSES

_OPEN = f"t.status IN ({', '.join(repr(status) for status in TICKET_OPEN_STATUSES)})"
_PRIORITY = {"priority": "t.priority"}
_AGES = ", ".join(str(days) for days in BACKLOG_AGE_BOUNDS_DAYS)

TICKET_STATUSES = Query(
    "tickets.statuses",
    "All tickets as they stand now, by status and priority",
    (text("status", "Status"), text("priority", "Priority"), count("tickets", "Tickets")),
    "SELECT t.status, t.priority, count(*) AS tickets FROM analytics.tickets t WHERE {chosen} GROUP BY 1, 2",
    "status, priority",
    {**_PRIORITY, "status": "t.status"},
)

TICKET_BACKLOG = Query(
    "tickets.backlog",
    "Open tickets by priority: how many, how old, how late",
    (
        text("priority", "Priority"),
        count("open", "Tickets that are not resolved"),
        count("unassigned", "Of these, without an owner"),
        count("overdue", "Of these, past a due time that was not kept"),
        *(
            count(name, f"Of these, opened {words} before the end of the range")
            for name, words in (
                ("age_under_1d", "less than a day"),
                ("age_1d_to_3d", "one to three days"),
                ("age_3d_to_7d", "three to seven days"),
                ("age_over_7d", "more than seven days"),
            )
        ),
    ),
    f"""
SELECT o.priority, count(*) AS open, count(*) FILTER (WHERE o.assignee_key IS NULL) AS unassigned,
       count(*) FILTER (WHERE o.late) AS overdue,
       count(*) FILTER (WHERE o.place = 0) AS age_under_1d, count(*) FILTER (WHERE o.place = 1) AS age_1d_to_3d,
       count(*) FILTER (WHERE o.place = 2) AS age_3d_to_7d, count(*) FILTER (WHERE o.place = 3) AS age_over_7d
FROM (
  SELECT t.priority, t.assignee_key,
         coalesce(t.first_response_at IS NULL AND t.sla_first_response_due_at < %(until)s, false)
           OR coalesce(t.sla_resolution_due_at < %(until)s, false) AS late,
         width_bucket(extract(epoch FROM %(until)s - t.created_at)::float8 / 86400, ARRAY[{_AGES}]::float8[]) AS place
  FROM analytics.tickets t
  WHERE {_OPEN} AND t.created_at <= %(until)s AND {{chosen}}
) o
GROUP BY 1
""".strip(),
    "priority",
    _PRIORITY,
)

TICKET_PROMISES = Query(
    "tickets.promises",
    DEFINITIONS["sla_attainment"].formula,
    (
        text("kind", "What was promised"),
        count("due", "Promises that were served, or fell due, in the range"),
        count("met", "Of these, served before they were due"),
        share("attainment", "Share that was met"),
    ),
    f"""
SELECT p.kind, count(*) AS due, count(*) FILTER (WHERE p.served <= p.due) AS met,
       (count(*) FILTER (WHERE p.served <= p.due))::float8 / count(*) AS attainment
FROM (
  SELECT 'first response' AS kind, t.first_response_at AS served, t.sla_first_response_due_at AS due, {_OPEN} AS is_open
  FROM analytics.tickets t WHERE {{chosen}}
  UNION ALL
  SELECT 'resolution', t.resolved_at, t.sla_resolution_due_at, {_OPEN} FROM analytics.tickets t WHERE {{chosen}}
) p
WHERE p.due IS NOT NULL AND (p.served BETWEEN %(since)s AND %(until)s
  OR p.served IS NULL AND p.is_open AND p.due BETWEEN %(since)s AND %(until)s)
GROUP BY 1
""".strip(),
    "kind",
    _PRIORITY,
)

TICKET_RESOLUTION = Query(
    "tickets.resolution",
    "How long the tickets that were resolved in the range took",
    (
        text("priority", "Priority"),
        count("tickets", "Tickets resolved in the range"),
        seconds("mean", "Mean time from opening to the resolution"),
        seconds("median", "Half took no longer"),
        seconds("p90", "Nine in ten took no longer"),
    ),
    """
SELECT t.priority, count(*) AS tickets, avg(extract(epoch FROM t.resolved_at - t.created_at))::float8 AS mean,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM t.resolved_at - t.created_at)::float8) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM t.resolved_at - t.created_at)::float8) AS p90
FROM analytics.tickets t
WHERE t.resolved_at BETWEEN %(since)s AND %(until)s AND {chosen}
GROUP BY 1
""".strip(),
    "priority",
    _PRIORITY,
)

DOCUMENTS = Query(
    "documents.statuses",
    "Documents that were uploaded by the end of the range, as they stand now",
    (
        text("status", "Status"),
        text("file_type", "Type of file"),
        count("documents", "Documents"),
        count("bytes", "Their size", "bytes"),
    ),
    """
SELECT d.status, d.file_type, count(*) AS documents, sum(d.size_bytes)::bigint AS bytes
FROM analytics.documents d WHERE d.created_at <= %(until)s AND {chosen} GROUP BY 1, 2
""".strip(),
    "status, file_type",
    {"status": "d.status", "file_type": "d.file_type"},
)

CHUNKS = Query(
    "documents.chunks",
    "Chunks that were made in the range",
    (
        count("documents", "Documents with new chunks"),
        count("chunks", "Chunks"),
        count("tokens", "Their tokens"),
        number("chunks_each", "Chunks of a document", "short"),
    ),
    """
SELECT count(DISTINCT c.document_id) AS documents, count(*) AS chunks, sum(c.token_count)::bigint AS tokens,
       count(*)::float8 / count(DISTINCT c.document_id) AS chunks_each
FROM analytics.chunks c WHERE c.created_at BETWEEN %(since)s AND %(until)s AND {chosen}
HAVING count(*) > 0
""".strip(),
    "1",
)

SEARCHES = Query(
    "documents.searches",
    "Searches in the knowledge base by day",
    (
        time("day", "Begin of the day (UTC)"),
        count("searches", "Searches"),
        share("empty", "Searches without a result / searches"),
        share("opened", "Searches of which a result was opened / searches with a result"),
    ),
    """
SELECT date_trunc('day', s.at, 'UTC') AS day, count(*) AS searches,
       (count(*) FILTER (WHERE s.result_count = 0))::float8 / count(*) AS empty,
       (count(*) FILTER (WHERE s.clicked))::float8 / nullif(count(*) FILTER (WHERE s.result_count > 0), 0) AS opened
FROM analytics.kb_searches s WHERE s.at BETWEEN %(since)s AND %(until)s AND {chosen} GROUP BY 1
""".strip(),
    "day",
)

RATINGS = Query(
    "feedback.stars",
    "Ratings of the range by stars",
    (count("stars", "Stars"), count("ratings", "Ratings")),
    """
SELECT f.rating::bigint AS stars, count(*) AS ratings FROM analytics.feedback f
WHERE f.created_at BETWEEN %(since)s AND %(until)s AND f.rating BETWEEN 1 AND 5 AND {chosen} GROUP BY 1
""".strip(),
    "stars",
    {"category": "f.category"},
)

RESPONSE_RATE = Query(
    "feedback.response",
    f"{DEFINITIONS['feedback_response'].formula}, of the days that begin in the range",
    (
        count("answers", "Answers of agents"),
        count("given", "Answers with feedback"),
        share("response_rate", "The second / the first"),
    ),
    """
WITH given AS (
  SELECT date_trunc('day', f.created_at, 'UTC') AS day, count(DISTINCT f.message_id) AS given
  FROM analytics.feedback f CROSS JOIN LATERAL (
    SELECT t.environment FROM analytics.conversations t WHERE t.id = f.conversation_id OFFSET 0
  ) c
  WHERE f.created_at BETWEEN %(since)s AND %(until)s AND {chosen}
  GROUP BY 1
), days AS (
  SELECT u.day, sum(u.answers)::bigint AS answers, max(coalesce(g.given, 0)) AS given
  FROM analytics.usage_analytics_daily u LEFT JOIN given g ON g.day = u.day
  WHERE u.day BETWEEN %(since)s AND %(until)s AND {chosen}
  GROUP BY u.day
)
SELECT sum(answers)::bigint AS answers, sum(given)::bigint AS given,
       sum(given)::float8 / nullif(sum(answers), 0) AS response_rate
FROM days
HAVING sum(answers) > 0
""".strip(),
    "1",
    {"environment": "environment"},
)

SCORES = Query(
    "traces.scores",
    "Numeric scores of the range by name and model",
    (
        text("name", "Name of the score"),
        text("model", "Model that was judged"),
        count("scores", "Scores"),
        number("mean", "Mean", "none"),
        number("lowest", "Lowest", "none"),
        number("highest", "Highest", "none"),
    ),
    """
SELECT s.name, coalesce(s.model, 'unknown') AS model, count(*) AS scores, avg(s.value::numeric)::float8 AS mean,
       min(s.value)::float8 AS lowest, max(s.value)::float8 AS highest
FROM analytics.llm_scores s
WHERE s.at BETWEEN %(since)s AND %(until)s AND s.value IS NOT NULL AND {chosen} GROUP BY 1, 2
""".strip(),
    "name, model",
    {"environment": "s.environment", "agent": "s.agent", "model": "s.model"},
    FROM_LEDGER,
)

PRICES = Query(
    "costs.prices",
    "Prices of models that Langfuse listed on the days of the range, each with the time in which it was listed",
    (
        text("models", "Which models: a regular expression"),
        text("kind", "Kind of tokens"),
        usd("usd_per_million", "USD for a million of them"),
        time("valid_from", "Listed since"),
        time("valid_to", "Listed until; nothing while it is in force"),
    ),
    """
SELECT p.model_pattern AS models, p.usage_type AS kind, p.usd_per_million::float8 AS usd_per_million, p.valid_from, p.valid_to
FROM analytics.model_prices p
WHERE p.valid_from <= %(until)s AND coalesce(p.valid_to, 'infinity') > date_trunc('day', %(since)s, 'UTC') AND {chosen}
""".strip(),
    "models, kind, valid_from",
    {"kind": "p.usage_type"},
    FROM_LEDGER,
)
