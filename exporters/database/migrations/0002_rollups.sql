-- What was counted. A row of figures has n, up to six sums and up to 28 histogram counts as columns of their own: a NULL takes no
-- space, and PostgreSQL adds columns far faster than arrays. Everything is a bigint in base units, so sums are exact.

CREATE AGGREGATE analytics.total(bigint) (SFUNC = int8pl, STYPE = bigint, COMBINEFUNC = int8pl, PARALLEL = SAFE);
COMMENT ON AGGREGATE analytics.total(bigint) IS
    'The sum as a bigint, NULL of nothing: several times faster than sum(), which counts beyond what a bigint can hold';

CREATE TABLE analytics.sources (
    source             text PRIMARY KEY,
    mode               text NOT NULL CHECK (mode IN ('snapshot', 'ids', 'window', 'scan')),
    driving            oid,
    system_identifier  text NOT NULL,
    watermark          jsonb NOT NULL,
    backfill_time      timestamptz,
    backfill_key       text,
    backfill_rows      bigint NOT NULL DEFAULT 0,
    backfill_total     bigint NOT NULL DEFAULT 0,
    counted            bigint NOT NULL DEFAULT 0,
    corrections        bigint NOT NULL DEFAULT 0,
    drift              bigint,
    audited_at         timestamptz,
    advanced_at        timestamptz NOT NULL DEFAULT now(),
    problem            text,
    rebuild_needed     boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);
COMMENT ON TABLE analytics.sources IS
    'How far each source was counted. Old rows from (backfill_time, backfill_key) on are counted; NULL: all of them';

CREATE TABLE analytics.totals (
    series  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fact    text COLLATE "C" NOT NULL,
    labels  text[] COLLATE "C" NOT NULL,
    n       bigint NOT NULL,
    s1 bigint, s2 bigint, s3 bigint, s4 bigint, s5 bigint, s6 bigint,
    h0 bigint, h1 bigint, h2 bigint, h3 bigint, h4 bigint, h5 bigint, h6 bigint, h7 bigint, h8 bigint, h9 bigint,
    h10 bigint, h11 bigint, h12 bigint, h13 bigint, h14 bigint, h15 bigint, h16 bigint, h17 bigint, h18 bigint, h19 bigint,
    h20 bigint, h21 bigint, h22 bigint, h23 bigint, h24 bigint, h25 bigint, h26 bigint, h27 bigint,
    UNIQUE (fact, labels)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE analytics.totals IS
    'One row a fact and label set, as of the last fold. Facts say what happened and never fall; stocks (stock:…) say what is';

CREATE TABLE analytics.rollup_minute (
    series  bigint NOT NULL,
    bucket  timestamptz NOT NULL,
    n       bigint NOT NULL,
    s1 bigint, s2 bigint, s3 bigint, s4 bigint, s5 bigint, s6 bigint,
    h0 bigint, h1 bigint, h2 bigint, h3 bigint, h4 bigint, h5 bigint, h6 bigint, h7 bigint, h8 bigint, h9 bigint,
    h10 bigint, h11 bigint, h12 bigint, h13 bigint, h14 bigint, h15 bigint, h16 bigint, h17 bigint, h18 bigint, h19 bigint,
    h20 bigint, h21 bigint, h22 bigint, h23 bigint, h24 bigint, h25 bigint, h26 bigint, h27 bigint,
    PRIMARY KEY (series, bucket)
) WITH (fillfactor = 90);
CREATE TABLE analytics.rollup_hour (LIKE analytics.rollup_minute INCLUDING ALL) WITH (fillfactor = 80);
CREATE TABLE analytics.rollup_day (LIKE analytics.rollup_minute INCLUDING ALL) WITH (fillfactor = 70);
COMMENT ON TABLE analytics.rollup_minute IS 'What happened, by the minute (UTC) in which it happened';
COMMENT ON TABLE analytics.rollup_hour IS 'What happened, by the hour (UTC) in which it happened';
COMMENT ON TABLE analytics.rollup_day IS 'What happened, by the day (UTC) on which it happened';

CREATE TABLE analytics.fresh (
    fact    text COLLATE "C" NOT NULL,
    at      timestamptz,
    labels  text COLLATE "C" NOT NULL,
    bucket  integer,
    n       bigint NOT NULL,
    s1 bigint, s2 bigint, s3 bigint, s4 bigint, s5 bigint, s6 bigint,
    stamp   xid8 NOT NULL DEFAULT pg_current_xact_id()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
COMMENT ON TABLE analytics.fresh IS
    'What was counted since the last fold: changes of buckets of time (at is the minute), and of totals alone where at is NULL. '
    'Labels are joined by the character 31; bucket is the number of a histogram''s bucket, '
    'stamp the transaction';

CREATE TABLE analytics.folds (n bigint NOT NULL) WITH (fillfactor = 10);
INSERT INTO analytics.folds VALUES (0);
COMMENT ON TABLE analytics.folds IS 'How often the totals were changed: whoever has read them since need not read them again';

CREATE TABLE analytics.shadows (
    source  text NOT NULL,
    key     text COLLATE "C" NOT NULL,
    image   jsonb NOT NULL,
    PRIMARY KEY (source, key)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE analytics.shadows IS 'Rows that may still change, as they were counted';

CREATE TABLE analytics.retractions (
    source     text NOT NULL,
    key        text COLLATE "C" NOT NULL,
    old_stamp  xid8,
    image      jsonb
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX retractions_source ON analytics.retractions (source);
COMMENT ON TABLE analytics.retractions IS
    'Versions of rows that triggers saw end: updates of final rows, and deletions. Without an image: the table was truncated';

CREATE TABLE analytics.firsts (
    fact  text COLLATE "C" NOT NULL,
    key   text COLLATE "C" NOT NULL,
    PRIMARY KEY (fact, key)
);
COMMENT ON TABLE analytics.firsts IS 'Keys of facts that count a thing once, however often it happens';

CREATE VIEW analytics.minutes AS
SELECT t.fact, t.labels, r.bucket,
       r.n, r.s1, r.s2, r.s3, r.s4, r.s5, r.s6,
       r.h0, r.h1, r.h2, r.h3, r.h4, r.h5, r.h6, r.h7, r.h8, r.h9, r.h10, r.h11, r.h12, r.h13,
       r.h14, r.h15, r.h16, r.h17, r.h18, r.h19, r.h20, r.h21, r.h22, r.h23, r.h24, r.h25, r.h26, r.h27
FROM analytics.rollup_minute r JOIN analytics.totals t USING (series)
UNION ALL
SELECT fact, string_to_array(labels, E'\x1f'), at, n, s1, s2, s3, s4, s5, s6,
       CASE bucket WHEN 0 THEN n END, CASE bucket WHEN 1 THEN n END, CASE bucket WHEN 2 THEN n END, CASE bucket WHEN 3 THEN n END,
       CASE bucket WHEN 4 THEN n END, CASE bucket WHEN 5 THEN n END, CASE bucket WHEN 6 THEN n END, CASE bucket WHEN 7 THEN n END,
       CASE bucket WHEN 8 THEN n END, CASE bucket WHEN 9 THEN n END, CASE bucket WHEN 10 THEN n END, CASE bucket WHEN 11 THEN n END,
       CASE bucket WHEN 12 THEN n END, CASE bucket WHEN 13 THEN n END, CASE bucket WHEN 14 THEN n END, CASE bucket WHEN 15 THEN n END,
       CASE bucket WHEN 16 THEN n END, CASE bucket WHEN 17 THEN n END, CASE bucket WHEN 18 THEN n END, CASE bucket WHEN 19 THEN n END,
       CASE bucket WHEN 20 THEN n END, CASE bucket WHEN 21 THEN n END, CASE bucket WHEN 22 THEN n END, CASE bucket WHEN 23 THEN n END,
       CASE bucket WHEN 24 THEN n END, CASE bucket WHEN 25 THEN n END, CASE bucket WHEN 26 THEN n END, CASE bucket WHEN 27 THEN n END
FROM analytics.fresh WHERE at IS NOT NULL;
COMMENT ON VIEW analytics.minutes IS
    'What happened, by the minute (UTC): several rows a cell and bucket, to be summed. At this moment, not as of the last fold';

CREATE VIEW analytics.hours AS
SELECT t.fact, t.labels, r.bucket,
       r.n, r.s1, r.s2, r.s3, r.s4, r.s5, r.s6,
       r.h0, r.h1, r.h2, r.h3, r.h4, r.h5, r.h6, r.h7, r.h8, r.h9, r.h10, r.h11, r.h12, r.h13,
       r.h14, r.h15, r.h16, r.h17, r.h18, r.h19, r.h20, r.h21, r.h22, r.h23, r.h24, r.h25, r.h26, r.h27
FROM analytics.rollup_hour r JOIN analytics.totals t USING (series)
UNION ALL
SELECT fact, string_to_array(labels, E'\x1f'), date_bin('1 hour', at, 'epoch'), n, s1, s2, s3, s4, s5, s6,
       CASE bucket WHEN 0 THEN n END, CASE bucket WHEN 1 THEN n END, CASE bucket WHEN 2 THEN n END, CASE bucket WHEN 3 THEN n END,
       CASE bucket WHEN 4 THEN n END, CASE bucket WHEN 5 THEN n END, CASE bucket WHEN 6 THEN n END, CASE bucket WHEN 7 THEN n END,
       CASE bucket WHEN 8 THEN n END, CASE bucket WHEN 9 THEN n END, CASE bucket WHEN 10 THEN n END, CASE bucket WHEN 11 THEN n END,
       CASE bucket WHEN 12 THEN n END, CASE bucket WHEN 13 THEN n END, CASE bucket WHEN 14 THEN n END, CASE bucket WHEN 15 THEN n END,
       CASE bucket WHEN 16 THEN n END, CASE bucket WHEN 17 THEN n END, CASE bucket WHEN 18 THEN n END, CASE bucket WHEN 19 THEN n END,
       CASE bucket WHEN 20 THEN n END, CASE bucket WHEN 21 THEN n END, CASE bucket WHEN 22 THEN n END, CASE bucket WHEN 23 THEN n END,
       CASE bucket WHEN 24 THEN n END, CASE bucket WHEN 25 THEN n END, CASE bucket WHEN 26 THEN n END, CASE bucket WHEN 27 THEN n END
FROM analytics.fresh WHERE at IS NOT NULL;
COMMENT ON VIEW analytics.hours IS
    'What happened, by the hour (UTC): several rows a cell and bucket, to be summed. At this moment, not as of the last fold';

CREATE VIEW analytics.days AS
SELECT t.fact, t.labels, r.bucket,
       r.n, r.s1, r.s2, r.s3, r.s4, r.s5, r.s6,
       r.h0, r.h1, r.h2, r.h3, r.h4, r.h5, r.h6, r.h7, r.h8, r.h9, r.h10, r.h11, r.h12, r.h13,
       r.h14, r.h15, r.h16, r.h17, r.h18, r.h19, r.h20, r.h21, r.h22, r.h23, r.h24, r.h25, r.h26, r.h27
FROM analytics.rollup_day r JOIN analytics.totals t USING (series)
UNION ALL
SELECT fact, string_to_array(labels, E'\x1f'), date_bin('1 day', at, 'epoch'), n, s1, s2, s3, s4, s5, s6,
       CASE bucket WHEN 0 THEN n END, CASE bucket WHEN 1 THEN n END, CASE bucket WHEN 2 THEN n END, CASE bucket WHEN 3 THEN n END,
       CASE bucket WHEN 4 THEN n END, CASE bucket WHEN 5 THEN n END, CASE bucket WHEN 6 THEN n END, CASE bucket WHEN 7 THEN n END,
       CASE bucket WHEN 8 THEN n END, CASE bucket WHEN 9 THEN n END, CASE bucket WHEN 10 THEN n END, CASE bucket WHEN 11 THEN n END,
       CASE bucket WHEN 12 THEN n END, CASE bucket WHEN 13 THEN n END, CASE bucket WHEN 14 THEN n END, CASE bucket WHEN 15 THEN n END,
       CASE bucket WHEN 16 THEN n END, CASE bucket WHEN 17 THEN n END, CASE bucket WHEN 18 THEN n END, CASE bucket WHEN 19 THEN n END,
       CASE bucket WHEN 20 THEN n END, CASE bucket WHEN 21 THEN n END, CASE bucket WHEN 22 THEN n END, CASE bucket WHEN 23 THEN n END,
       CASE bucket WHEN 24 THEN n END, CASE bucket WHEN 25 THEN n END, CASE bucket WHEN 26 THEN n END, CASE bucket WHEN 27 THEN n END
FROM analytics.fresh WHERE at IS NOT NULL;
COMMENT ON VIEW analytics.days IS
    'What happened, by the day (UTC): several rows a cell and bucket, to be summed. At this moment, not as of the last fold';

CREATE VIEW analytics.cells AS
SELECT fact, labels,
       n, s1, s2, s3, s4, s5, s6,
       h0, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, h11, h12, h13,
       h14, h15, h16, h17, h18, h19, h20, h21, h22, h23, h24, h25, h26, h27
FROM analytics.totals
UNION ALL
SELECT fact, string_to_array(labels, E'\x1f'), n, s1, s2, s3, s4, s5, s6,
       CASE bucket WHEN 0 THEN n END, CASE bucket WHEN 1 THEN n END, CASE bucket WHEN 2 THEN n END, CASE bucket WHEN 3 THEN n END,
       CASE bucket WHEN 4 THEN n END, CASE bucket WHEN 5 THEN n END, CASE bucket WHEN 6 THEN n END, CASE bucket WHEN 7 THEN n END,
       CASE bucket WHEN 8 THEN n END, CASE bucket WHEN 9 THEN n END, CASE bucket WHEN 10 THEN n END, CASE bucket WHEN 11 THEN n END,
       CASE bucket WHEN 12 THEN n END, CASE bucket WHEN 13 THEN n END, CASE bucket WHEN 14 THEN n END, CASE bucket WHEN 15 THEN n END,
       CASE bucket WHEN 16 THEN n END, CASE bucket WHEN 17 THEN n END, CASE bucket WHEN 18 THEN n END, CASE bucket WHEN 19 THEN n END,
       CASE bucket WHEN 20 THEN n END, CASE bucket WHEN 21 THEN n END, CASE bucket WHEN 22 THEN n END, CASE bucket WHEN 23 THEN n END,
       CASE bucket WHEN 24 THEN n END, CASE bucket WHEN 25 THEN n END, CASE bucket WHEN 26 THEN n END, CASE bucket WHEN 27 THEN n END
FROM analytics.fresh;
COMMENT ON VIEW analytics.cells IS 'All facts and stocks at this moment: several rows a cell, to be summed';

CREATE VIEW analytics.counters AS
SELECT fact, labels,
       analytics.total(n) AS n, analytics.total(s1) AS s1, analytics.total(s2) AS s2, analytics.total(s3) AS s3, analytics.total(s4) AS s4,
       analytics.total(s5) AS s5, analytics.total(s6) AS s6, analytics.total(h0) AS h0, analytics.total(h1) AS h1, analytics.total(h2) AS h2,
       analytics.total(h3) AS h3, analytics.total(h4) AS h4, analytics.total(h5) AS h5, analytics.total(h6) AS h6, analytics.total(h7) AS h7,
       analytics.total(h8) AS h8, analytics.total(h9) AS h9, analytics.total(h10) AS h10, analytics.total(h11) AS h11, analytics.total(h12) AS h12,
       analytics.total(h13) AS h13, analytics.total(h14) AS h14, analytics.total(h15) AS h15, analytics.total(h16) AS h16, analytics.total(h17) AS h17,
       analytics.total(h18) AS h18, analytics.total(h19) AS h19, analytics.total(h20) AS h20, analytics.total(h21) AS h21, analytics.total(h22) AS h22,
       analytics.total(h23) AS h23, analytics.total(h24) AS h24, analytics.total(h25) AS h25, analytics.total(h26) AS h26, analytics.total(h27) AS h27
FROM analytics.cells WHERE fact NOT LIKE 'stock:%' GROUP BY fact, labels;
COMMENT ON VIEW analytics.counters IS 'How often things happened since counting began; no figure ever falls';

CREATE VIEW analytics.stocks AS
SELECT substr(fact, 7) AS stock, labels, analytics.total(n) AS n FROM analytics.cells WHERE fact LIKE 'stock:%' GROUP BY fact, labels;
COMMENT ON VIEW analytics.stocks IS 'How many rows there are at this moment';
