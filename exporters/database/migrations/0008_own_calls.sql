-- A user's own model calls, the latest first: without it a question about one user reads the calls of all.
CREATE INDEX llm_calls_user_key ON analytics.llm_calls (user_key, started_at) WHERE user_key IS NOT NULL;
