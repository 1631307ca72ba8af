-- What was counted lately holds the histogram of a cell as the totals and the tiers do: one row a cell, where there was one a
-- bucket, for each row is written once and read by everybody who shows it.

ALTER TABLE analytics.fresh
    ADD COLUMN h0 bigint, ADD COLUMN h1 bigint, ADD COLUMN h2 bigint, ADD COLUMN h3 bigint, ADD COLUMN h4 bigint,
    ADD COLUMN h5 bigint, ADD COLUMN h6 bigint, ADD COLUMN h7 bigint, ADD COLUMN h8 bigint, ADD COLUMN h9 bigint,
    ADD COLUMN h10 bigint, ADD COLUMN h11 bigint, ADD COLUMN h12 bigint, ADD COLUMN h13 bigint, ADD COLUMN h14 bigint,
    ADD COLUMN h15 bigint, ADD COLUMN h16 bigint, ADD COLUMN h17 bigint, ADD COLUMN h18 bigint, ADD COLUMN h19 bigint,
    ADD COLUMN h20 bigint, ADD COLUMN h21 bigint, ADD COLUMN h22 bigint, ADD COLUMN h23 bigint, ADD COLUMN h24 bigint,
    ADD COLUMN h25 bigint, ADD COLUMN h26 bigint, ADD COLUMN h27 bigint;
UPDATE analytics.fresh SET
    h0 = CASE bucket WHEN 0 THEN n END, h1 = CASE bucket WHEN 1 THEN n END, h2 = CASE bucket WHEN 2 THEN n END,
    h3 = CASE bucket WHEN 3 THEN n END, h4 = CASE bucket WHEN 4 THEN n END, h5 = CASE bucket WHEN 5 THEN n END,
    h6 = CASE bucket WHEN 6 THEN n END, h7 = CASE bucket WHEN 7 THEN n END, h8 = CASE bucket WHEN 8 THEN n END,
    h9 = CASE bucket WHEN 9 THEN n END, h10 = CASE bucket WHEN 10 THEN n END, h11 = CASE bucket WHEN 11 THEN n END,
    h12 = CASE bucket WHEN 12 THEN n END, h13 = CASE bucket WHEN 13 THEN n END, h14 = CASE bucket WHEN 14 THEN n END,
    h15 = CASE bucket WHEN 15 THEN n END, h16 = CASE bucket WHEN 16 THEN n END, h17 = CASE bucket WHEN 17 THEN n END,
    h18 = CASE bucket WHEN 18 THEN n END, h19 = CASE bucket WHEN 19 THEN n END, h20 = CASE bucket WHEN 20 THEN n END,
    h21 = CASE bucket WHEN 21 THEN n END, h22 = CASE bucket WHEN 22 THEN n END, h23 = CASE bucket WHEN 23 THEN n END,
    h24 = CASE bucket WHEN 24 THEN n END, h25 = CASE bucket WHEN 25 THEN n END, h26 = CASE bucket WHEN 26 THEN n END,
    h27 = CASE bucket WHEN 27 THEN n END
WHERE bucket IS NOT NULL;

CREATE OR REPLACE VIEW analytics.minutes AS
SELECT t.fact, t.labels, r.bucket, r.n, r.s1, r.s2, r.s3, r.s4, r.s5, r.s6, r.h0, r.h1, r.h2, r.h3, r.h4, r.h5, r.h6,
       r.h7, r.h8, r.h9, r.h10, r.h11, r.h12, r.h13, r.h14, r.h15, r.h16, r.h17, r.h18, r.h19, r.h20, r.h21, r.h22,
       r.h23, r.h24, r.h25, r.h26, r.h27
FROM analytics.rollup_minute r JOIN analytics.totals t USING (series)
UNION ALL
SELECT fact, string_to_array(labels, E'\x1f'), at, n, s1, s2, s3, s4, s5, s6, h0, h1, h2, h3, h4, h5, h6, h7, h8, h9,
       h10, h11, h12, h13, h14, h15, h16, h17, h18, h19, h20, h21, h22, h23, h24, h25, h26, h27
FROM analytics.fresh WHERE at IS NOT NULL;
CREATE OR REPLACE VIEW analytics.hours AS
SELECT t.fact, t.labels, r.bucket, r.n, r.s1, r.s2, r.s3, r.s4, r.s5, r.s6, r.h0, r.h1, r.h2, r.h3, r.h4, r.h5, r.h6,
       r.h7, r.h8, r.h9, r.h10, r.h11, r.h12, r.h13, r.h14, r.h15, r.h16, r.h17, r.h18, r.h19, r.h20, r.h21, r.h22,
       r.h23, r.h24, r.h25, r.h26, r.h27
FROM analytics.rollup_hour r JOIN analytics.totals t USING (series)
UNION ALL
SELECT fact, string_to_array(labels, E'\x1f'), date_bin('1 hour', at, 'epoch'), n, s1, s2, s3, s4, s5, s6, h0, h1, h2,
       h3, h4, h5, h6, h7, h8, h9, h10, h11, h12, h13, h14, h15, h16, h17, h18, h19, h20, h21, h22, h23, h24, h25,
       h26, h27
FROM analytics.fresh WHERE at IS NOT NULL;
CREATE OR REPLACE VIEW analytics.days AS
SELECT t.fact, t.labels, r.bucket, r.n, r.s1, r.s2, r.s3, r.s4, r.s5, r.s6, r.h0, r.h1, r.h2, r.h3, r.h4, r.h5, r.h6,
       r.h7, r.h8, r.h9, r.h10, r.h11, r.h12, r.h13, r.h14, r.h15, r.h16, r.h17, r.h18, r.h19, r.h20, r.h21, r.h22,
       r.h23, r.h24, r.h25, r.h26, r.h27
FROM analytics.rollup_day r JOIN analytics.totals t USING (series)
UNION ALL
SELECT fact, string_to_array(labels, E'\x1f'), date_bin('1 day', at, 'epoch'), n, s1, s2, s3, s4, s5, s6, h0, h1, h2,
       h3, h4, h5, h6, h7, h8, h9, h10, h11, h12, h13, h14, h15, h16, h17, h18, h19, h20, h21, h22, h23, h24, h25,
       h26, h27
FROM analytics.fresh WHERE at IS NOT NULL;
CREATE OR REPLACE VIEW analytics.cells AS
SELECT fact, labels, n, s1, s2, s3, s4, s5, s6, h0, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, h11, h12, h13, h14, h15,
       h16, h17, h18, h19, h20, h21, h22, h23, h24, h25, h26, h27
FROM analytics.totals
UNION ALL
SELECT fact, string_to_array(labels, E'\x1f'), n, s1, s2, s3, s4, s5, s6, h0, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10,
       h11, h12, h13, h14, h15, h16, h17, h18, h19, h20, h21, h22, h23, h24, h25, h26, h27
FROM analytics.fresh;

DROP FUNCTION analytics.counted_since;
ALTER TABLE analytics.fresh DROP COLUMN bucket;
COMMENT ON TABLE analytics.fresh IS
    'What was counted since the last fold: changes of buckets of time (at is the minute), and of totals alone where at is NULL. '
    'Labels are joined by the character 31; stamp is the transaction';

CREATE FUNCTION analytics.counted_since(known_place text, moment pg_snapshot, known_folds bigint, facts text[] DEFAULT NULL)
RETURNS SETOF analytics.fresh LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
    now_is analytics.fresh;
    later xid8 := pg_snapshot_xmax(moment);
    running xid8[] := ARRAY(SELECT pg_snapshot_xip(moment));
BEGIN
    -- Another one after a crash, on another server, in another database, and after an installation anew: numbers of
    -- transactions that were lost are given again, and what was kept means nothing there.
    now_is.fact := concat_ws(' ', pg_postmaster_start_time(), (SELECT checkpoint_lsn FROM pg_control_checkpoint()),
                             current_database(), 'analytics.folds'::regclass::oid);
    now_is.n := (SELECT f.n FROM analytics.folds AS f);
    IF known_place IS NULL OR known_place = now_is.fact AND known_folds = now_is.n THEN
        RETURN QUERY SELECT * FROM analytics.fresh AS f WHERE f.stamp >= later AND (facts IS NULL OR f.fact = ANY (facts));
        IF running <> '{}' THEN
            RETURN QUERY
            SELECT * FROM analytics.fresh AS f WHERE f.stamp = ANY (running) AND (facts IS NULL OR f.fact = ANY (facts));
        END IF;
    END IF;
    -- On a standby nobody knows which transactions were running, so all is new again the next time.
    now_is.labels := CASE WHEN pg_is_in_recovery() THEN '3:3:' ELSE pg_current_snapshot()::text END;
    RETURN NEXT now_is;
END $$;
COMMENT ON FUNCTION analytics.counted_since IS
    'Rows of fresh, of these facts or of all, that were not visible at a moment; a last row, without a stamp, says where (fact) '
    'and of which moment (labels) this answer is, and (n) how often was folded. Only that row, where the place or the number of '
    'folds is not the known one; all rows where no place is given';
