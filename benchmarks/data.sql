-- Rows of the platform over %(span)s up to %(until)s. A conversation has ten executions and four messages; every hundredth
-- execution brings a user, every fiftieth a ticket, every twentieth a feedback. Placeholders are psycopg's.

SELECT setseed(0.42);

INSERT INTO app.agents (id, name, type, environment, current_version, is_active)
SELECT i, 'agent' || lpad(i::text, 2, '0'), 'assistant', 'production', 'v3', true FROM generate_series(1, %(agents)s) i;

INSERT INTO app.users (id, created_at, role, status, department, country_code)
SELECT i, %(since)s + %(span)s * (i::float8 / %(users)s), (ARRAY['user', 'user', 'user', 'agent', 'admin'])[1 + i %% 5],
       'active', 'department' || 1 + i %% 8, (ARRAY['DE', 'US', 'FR', 'GB', 'ES'])[1 + i %% 5]
FROM generate_series(1, %(users)s) i;

INSERT INTO app.conversations (id, user_id, agent_id, created_at, ended_at, status, intent, goal_achieved, outcome,
                               channel, environment)
SELECT i, 1 + floor(%(users)s * r1 * r1 * (i::float8 / %(conversations)s)), 1 + floor(%(agents)s * r2 * r2), at,
       CASE WHEN ended <= %(until)s THEN ended END, CASE WHEN ended <= %(until)s THEN 'ended' ELSE 'active' END,
       'intent' || lpad((1 + floor(20 * r3 * r3))::text, 2, '0'),
       CASE WHEN ended > %(until)s OR r4 < 0.1 THEN NULL ELSE r4 < 0.85 END,
       CASE WHEN ended > %(until)s THEN NULL WHEN r4 > 0.93 THEN 'handoff' WHEN r4 > 0.85 THEN 'abandoned' ELSE 'resolved' END,
       (ARRAY['web', 'web', 'web', 'chat', 'email', 'api'])[1 + floor(6 * r4)],
       CASE WHEN r5 < 0.85 THEN 'production' WHEN r5 < 0.95 THEN 'staging' ELSE 'development' END
FROM (SELECT i, random() r1, random() r2, random() r3, random() r4, random() r5, at, at + random() * interval '15 minutes' AS ended
      FROM (SELECT i, %(since)s + %(span)s * (i::float8 / %(conversations)s) AS at
            FROM generate_series(1, %(conversations)s) i) moments) conversations;

INSERT INTO app.messages (id, conversation_id, user_id, role, created_at, tokens)
SELECT i, 1 + (i - 1) / 4, 1 + floor(%(users)s * random() ^ 2 * (i::float8 / %(messages)s)),
       (ARRAY['user', 'assistant'])[1 + i %% 2], %(since)s + %(span)s * (i::float8 / %(messages)s), 20 + (random() * 400)::int
FROM generate_series(1, %(messages)s) i;

INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, end_time, duration_ms, status,
                                  error_type, tool_count, retry_count, user_id, conversation_id, tokens_used,
                                  api_calls_count, environment, intent)
SELECT md5(i::text)::uuid, agent, 'agent' || lpad(agent::text, 2, '0'), 'v' || 1 + floor(3 * r2), at, at + ms * interval '1 ms',
       ms, status, CASE status WHEN 'error' THEN (ARRAY['validation', 'llm', 'tool', 'rate_limit', 'auth', 'internal'])[1 + floor(6 * r4)]
                               WHEN 'timeout' THEN 'timeout' END,
       floor(4 * r5), CASE WHEN r6 < 0.05 THEN 1 ELSE 0 END, 1 + floor(%(users)s * r3 * r3 * (i::float8 / %(executions)s)),
       greatest(1, i / 10), 110 + floor(5200 * r6), floor(3 * r5),
       CASE WHEN r4 < 0.85 THEN 'production' WHEN r4 < 0.95 THEN 'staging' ELSE 'development' END,
       'intent' || lpad((1 + floor(20 * r5 * r5))::text, 2, '0')
FROM (SELECT *, 1 + floor(%(agents)s * r1 * r1)::int AS agent, round((exp(6.2 + 1.27 * (r1 + r2 + r3 + r4 + r5 + r6 - 3)))::numeric, 3)::float8 AS ms,
             CASE WHEN r7 < 0.93 THEN 'success' WHEN r7 < 0.972 THEN 'error' WHEN r7 < 0.992 THEN 'timeout' ELSE 'cancelled' END AS status
      FROM (SELECT i, %(since)s + %(span)s * (i::float8 / %(executions)s) - interval '1 minute' AS at, random() r1, random() r2, random() r3,
                   random() r4, random() r5, random() r6, random() r7
            FROM generate_series(1, %(executions)s) i) chances) executions;

INSERT INTO app.tickets (id, user_id, assignee_id, status, priority, category, created_at, updated_at, first_response_at,
                         resolved_at, closed_at, reopened_count, sla_first_response_due_at, sla_resolution_due_at)
SELECT i, 1 + floor(%(users)s * random()), CASE WHEN r < 0.8 THEN 1 + floor(50 * r) END, status, priority,
       'category' || 1 + i %% 6, at, CASE WHEN done THEN resolved ELSE at END, CASE WHEN done THEN at + (resolved - at) * 0.2 END,
       CASE WHEN done THEN resolved END, CASE WHEN status = 'closed' THEN resolved END, (r < 0.05)::int,
       at + interval '4 hours', at + interval '24 hours'
FROM (SELECT *, status IN ('resolved', 'closed') AS done
      FROM (SELECT i, at, r, least(at + interval '10 minutes' + interval '2 days' * r ^ 3, %(until)s) AS resolved,
                   (ARRAY['low', 'normal', 'normal', 'high', 'urgent'])[1 + floor(5 * random())] AS priority,
                   CASE WHEN i < 0.97 * %(tickets)s THEN (ARRAY['resolved', 'closed', 'closed', 'closed', 'open'])[1 + floor(4.05 * random())]
                        ELSE (ARRAY['open', 'in_progress', 'waiting', 'resolved'])[1 + floor(4 * random())] END AS status
            FROM (SELECT i, random() AS r, %(since)s + %(span)s * (i::float8 / %(tickets)s) AS at
                  FROM generate_series(1, %(tickets)s) i) moments) chances) tickets;

INSERT INTO app.feedback (id, user_id, conversation_id, rating, thumbs, nps, created_at)
SELECT i, 1 + floor(%(users)s * random()), 1 + floor(%(conversations)s * random()), rating, CASE WHEN rating > 3 THEN 1 ELSE -1 END,
       CASE WHEN i %% 4 = 0 THEN 2 * rating END, %(since)s + %(span)s * (i::float8 / %(feedback)s)
FROM (SELECT i, (ARRAY[5, 5, 5, 4, 4, 3, 2, 1, 1])[1 + floor(9 * random())] AS rating FROM generate_series(1, %(feedback)s) i) ratings;
