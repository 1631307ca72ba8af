"""An agent with two versions, of which the second is worse, as the platform's rows."""

PLATFORM = """
INSERT INTO app.agents (id, name, type, environment, is_active) VALUES (1, 'billing', 'agent', 'production', true);
INSERT INTO app.deployments (id, agent_id, version, environment, deployed_at) VALUES
    (1, 1, '1.4.1', 'production', now() - interval '3 days'), (2, 1, '1.4.2', 'production', now() - interval '1 day'),
    (3, 1, '1.4.2', 'staging', now() - interval '1 day');
INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, end_time, duration_ms, status,
    tool_count, retry_count, api_calls_count, environment)
SELECT gen_random_uuid(), 1, 'billing', version, now() - interval '2 hours', now() - interval '1 hour', milliseconds,
       CASE WHEN n <= failed THEN 'failure' ELSE 'success' END, 0, 0, 0, 'production'
FROM (VALUES ('1.4.1', 1, 1000), ('1.4.2', 4, 3000)) AS v (version, failed, milliseconds), generate_series(1, 10) n;
"""
