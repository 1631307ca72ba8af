-- Keys that were counted in the trailing window of a table which is read again and again.
CREATE TABLE analytics.seen (
    source  text NOT NULL,
    key     text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (source, key)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX seen_at ON analytics.seen (source, at);
COMMENT ON TABLE analytics.seen IS 'Rows of the trailing window of sources in mode window that are counted already';

ALTER TABLE analytics.sources ADD COLUMN halted boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN analytics.sources.halted IS
    'Nothing is counted, for the watermark says nothing about the table that is there now; ended by `observatory db rebuild`';

CREATE TABLE analytics.audits (
    source      text NOT NULL,
    bucket      timestamptz NOT NULL,
    audited_at  timestamptz NOT NULL,
    counted     bigint NOT NULL,
    recounted   bigint NOT NULL,
    PRIMARY KEY (source, bucket)
);
COMMENT ON TABLE analytics.audits IS 'Hours of the last day''s samples: rows as they were counted, and as they were found';
