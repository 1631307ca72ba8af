-- When a thing was counted, so that its key can go once nobody asks for that time any more.
ALTER TABLE analytics.firsts ADD COLUMN at timestamptz NOT NULL DEFAULT now();
ALTER TABLE analytics.firsts ALTER COLUMN at DROP DEFAULT;
COMMENT ON COLUMN analytics.firsts.at IS 'The time of the row by which it was counted';
CREATE INDEX firsts_at ON analytics.firsts USING brin (at);
