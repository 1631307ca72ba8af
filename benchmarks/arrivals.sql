-- What arrives in one cycle at %(now)s: %(n)s executions and in proportion everything else, with as many tickets changed as opened.
-- The rows are like older ones, from another stretch of them each cycle (%(cycle)s).

INSERT INTO app.users (id, created_at, role, status)
SELECT top + i, %(now)s, 'user', 'active' FROM (SELECT max(id) AS top FROM app.users) last, generate_series(1, %(n)s / 100) i;

INSERT INTO app.conversations (id, user_id, agent_id, created_at, ended_at, status, goal_achieved, outcome, environment)
SELECT top + row_number() OVER (), user_id, agent_id, %(now)s, %(now)s, 'ended', goal_achieved, outcome, environment
FROM (SELECT max(id) AS top FROM app.conversations) last,
     (SELECT * FROM app.conversations WHERE id > %(cycle)s * %(n)s / 10 ORDER BY id LIMIT %(n)s / 10) like_these;

INSERT INTO app.messages (id, conversation_id, user_id, role, created_at, tokens)
SELECT top + row_number() OVER (), conversation_id, user_id, role, %(now)s, tokens
FROM (SELECT max(id) AS top FROM app.messages) last,
     (SELECT * FROM app.messages WHERE id > %(cycle)s * %(n)s * 4 / 10 ORDER BY id LIMIT %(n)s * 4 / 10) like_these;

INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, end_time, duration_ms, status, error_type,
                                  tool_count, retry_count, user_id, conversation_id, tokens_used, api_calls_count, environment, intent)
SELECT gen_random_uuid(), agent_id, agent_name, version, %(now)s - duration_ms * interval '1 ms', %(now)s, duration_ms, status, error_type,
       tool_count, retry_count, user_id, conversation_id, tokens_used, api_calls_count, environment, intent
FROM (SELECT * FROM app.agent_executions WHERE conversation_id > %(cycle)s * %(n)s / 10 ORDER BY conversation_id LIMIT %(n)s) like_these;

INSERT INTO app.feedback (id, user_id, conversation_id, rating, thumbs, nps, created_at)
SELECT top + row_number() OVER (), user_id, conversation_id, rating, thumbs, nps, %(now)s
FROM (SELECT max(id) AS top FROM app.feedback) last,
     (SELECT * FROM app.feedback WHERE id > %(cycle)s * %(n)s / 20 ORDER BY id LIMIT %(n)s / 20) like_these;

INSERT INTO app.tickets (id, user_id, status, priority, created_at, updated_at, reopened_count, sla_resolution_due_at)
SELECT top + i, i, 'open', 'normal', %(now)s, %(now)s, 0, %(now)s + interval '24 hours'
FROM (SELECT max(id) AS top FROM app.tickets) last, generate_series(1, %(n)s / 50) i;

UPDATE app.tickets SET status = 'resolved', resolved_at = %(now)s, first_response_at = %(now)s, updated_at = %(now)s
WHERE id IN (SELECT id FROM app.tickets WHERE status = 'open' ORDER BY id LIMIT %(n)s / 50);
