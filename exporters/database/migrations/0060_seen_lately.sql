-- A user who is seen again is written in place, without a new entry in any index: what is indexed changes once a month, and
-- is enough to find those who were not seen for long. Who was seen lately is asked of a small table.
DROP INDEX analytics.user_seen_last_at;
ALTER TABLE analytics.user_seen
    ADD COLUMN month date GENERATED ALWAYS AS (date_trunc('month', last_at AT TIME ZONE 'UTC')::date) STORED;
CREATE INDEX user_seen_month ON analytics.user_seen (month);

CREATE TABLE analytics.seen_lately (
    at     timestamptz NOT NULL,
    users  text[] COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
COMMENT ON TABLE analytics.seen_lately IS 'Users who were seen in a step of the last minutes; at is when the last of them was';
INSERT INTO analytics.seen_lately
SELECT max(last_at), array_agg(user_id) FROM analytics.user_seen WHERE last_at >= now() - interval '10 minutes' HAVING count(*) > 0;
