"""Named queries about users and their conversations that read rows: how many there are, how active, how long they talk."""

from __future__ import annotations

from api.catalogue.model import Query, count, number, share, text, time
from contract.definitions import DEFINITIONS

ENVIRONMENT = {"environment": "c.environment"}

USERS = Query(
    "users.totals",
    "Users at the end of the range, and how many came in it",
    (
        count("users", "Users who had joined by the end of the range"),
        count("new", "Of these, who joined in the range"),
        share("growth", DEFINITIONS["growth"].formula),
    ),
    """
SELECT count(*) AS users, count(*) FILTER (WHERE u.created_at >= %(since)s) AS new,
       count(*) FILTER (WHERE u.created_at >= %(since)s)::float8
         / nullif(count(*) FILTER (WHERE u.created_at < %(since)s), 0) AS growth
FROM analytics.users u
WHERE u.created_at <= %(until)s AND {chosen}
""".strip(),
    "1",
    {"role": "u.role", "department": "u.department"},
)

ACTIVE = Query(
    "users.active",
    f"Active users of the windows before the end of the range: {DEFINITIONS['active_users'].formula}",
    (
        text("window", "How long the window is"),
        count("users", "Users who were active in it"),
        time("at", "When it ended: the last minute or full hour that was counted"),
    ),
    """
SELECT DISTINCT ON (h.window_name) h.window_name AS "window", h.n AS users, h.at
FROM analytics.users_active_history h
WHERE h.at <= %(until)s AND h.at > %(until)s - interval '1 day' AND {chosen}
ORDER BY h.window_name, h.at DESC
""".strip(),
    '"window"',
)

RETENTION = Query(
    "users.retention",
    f"Cohorts that joined in the range: {DEFINITIONS['retention'].formula}",
    (
        time("cohort", "Monday of the week of joining"),
        count("weeks", "Weeks since then"),
        count("cohort_size", "Users who joined in that week"),
        count("users", "Of these, who were active"),
        share("retention", "Share of the cohort"),
    ),
    """
SELECT r.cohort::timestamp AT TIME ZONE 'UTC' AS cohort, r.weeks::bigint AS weeks, r.cohort_size, r.users,
       r.retention::float8 AS retention
FROM analytics.retention_weekly r
WHERE r.cohort >= (%(since)s AT TIME ZONE 'UTC')::date AND r.cohort <= (%(until)s AT TIME ZONE 'UTC')::date
  AND r.retention IS NOT NULL AND {chosen}
""".strip(),
    "cohort, weeks",
)

MOST_ACTIVE = Query(
    "users.most_active",
    "Who wrote most in the range; a key stands for each user",
    (
        text("user_key", "Stands for the user"),
        text("role", "Role"),
        text("department", "Department"),
        count("conversations", "Conversations with own messages in the range"),
        count("messages", "Own messages in the range"),
        time("last", "The last one of them"),
    ),
    """
SELECT o.user_key, u.role, u.department, o.conversations, o.messages, o.last
FROM (SELECT t.user_key, count(*) AS conversations, analytics.total(t.n) AS messages, max(t.last) AS last
      FROM (SELECT m.user_key, m.conversation_id, count(*) AS n, max(m.created_at) AS last FROM analytics.messages m
            WHERE m.created_at BETWEEN %(since)s AND %(until)s AND m.role = 'user' AND m.user_key IS NOT NULL
            GROUP BY m.user_key, m.conversation_id) t
      GROUP BY t.user_key) o
LEFT JOIN analytics.users u ON u.user_key = o.user_key
WHERE {chosen}
""".strip(),
    "messages DESC, user_key",
    {"role": "u.role", "department": "u.department"},
)

CONVERSATIONS_PER_USER = Query(
    "conversations.per_user",
    "Conversations that a user began in the range",
    (
        count("users", "Users with a conversation"),
        number("mean", "Mean", "short"),
        number("median", "Half of them had at most so many", "short"),
        number("p90", "Nine in ten had at most so many", "short"),
    ),
    """
SELECT count(*) AS users, avg(n)::float8 AS mean, percentile_cont(0.5) WITHIN GROUP (ORDER BY n) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY n) AS p90
FROM (SELECT count(*)::float8 AS n FROM analytics.conversations c
      WHERE c.created_at BETWEEN %(since)s AND %(until)s AND {chosen} GROUP BY c.user_key) each
HAVING count(*) > 0
""".strip(),
    "1",
    ENVIRONMENT,
)

CONVERSATION_LENGTH = Query(
    "conversations.length",
    "Messages in a conversation that began in the range",
    (
        count("conversations", "Conversations with messages"),
        number("mean", "Mean", "short"),
        number("median", "Half of them had at most so many", "short"),
        number("p90", "Nine in ten had at most so many", "short"),
    ),
    # Messages are read in the order of their conversations, between the first and the last of the range, and need no hashing.
    """
WITH began AS (
  SELECT percentile_disc(ARRAY[0, 1]::float8[]) WITHIN GROUP (ORDER BY c.id) AS ends  -- ids may be of a type without min()
  FROM analytics.conversations c WHERE c.created_at BETWEEN %(since)s AND %(until)s AND {chosen}
), written AS (
  SELECT m.conversation_id, count(*)::float8 AS n FROM (
    SELECT t.conversation_id FROM analytics.messages t
    WHERE t.created_at >= %(since)s
      AND t.conversation_id BETWEEN (SELECT b.ends[1] FROM began b) AND (SELECT b.ends[2] FROM began b)
    ORDER BY t.conversation_id OFFSET 0
  ) m GROUP BY m.conversation_id OFFSET 0
)
SELECT count(*) AS conversations, avg(n)::float8 AS mean, percentile_cont(0.5) WITHIN GROUP (ORDER BY n) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY n) AS p90
FROM (SELECT w.n FROM analytics.conversations c JOIN written w ON w.conversation_id = c.id
      WHERE c.created_at BETWEEN %(since)s AND %(until)s AND {chosen}) each
HAVING count(*) > 0
""".strip(),
    "1",
    ENVIRONMENT,
)
