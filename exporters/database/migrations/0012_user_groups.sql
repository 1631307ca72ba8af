-- Who asked, and which model was judged: noted when a row is written, so that nobody has to join a million rows to add up money.
ALTER TABLE analytics.llm_calls ADD COLUMN user_role text, ADD COLUMN department text;
COMMENT ON COLUMN analytics.llm_calls.user_role IS 'Role of the user when the call was read, from the execution that shares its trace';
COMMENT ON COLUMN analytics.llm_calls.department IS 'Department of the user, likewise';

ALTER TABLE analytics.llm_scores ADD COLUMN agent text, ADD COLUMN prompt_name text, ADD COLUMN prompt_version integer;
COMMENT ON COLUMN analytics.llm_scores.model IS
    'Of the call that was judged, else of the trace''s last call; agent and prompt likewise';

-- What was counted before nobody knew a user's group: it stays unknown, and is corrected where calls are read again.
INSERT INTO analytics.fresh (fact, at, labels, n, s1, s2, s3)
SELECT 'llm_users', date_bin('1 hour', started_at, 'epoch'), concat_ws(E'\x1f', 'unknown', 'unknown', environment), count(*),
       sum(total_tokens), sum(coalesce(total_cost_usd, 0) * 1000000000)::bigint, count(*) FILTER (WHERE status <> 'success')
FROM analytics.llm_calls
WHERE ended_at IS NOT NULL OR total_tokens > 0 OR total_cost_usd IS NOT NULL
GROUP BY 2, 3;
