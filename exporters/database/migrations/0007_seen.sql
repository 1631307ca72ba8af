-- Keys that were counted in the trailing window of a table which is read again and again.
CREATE TABLE analytics.seen (
    source  text NOT NULL,
    key     text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (source, key)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX seen_at ON analytics.seen (source, at);
COMMENT ON TABLE analytics.seen IS 'Rows of the trailing window of sources in mode window that are counted already';
