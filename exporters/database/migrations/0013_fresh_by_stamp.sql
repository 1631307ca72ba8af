-- What was counted lately is found by its transaction: rows that were folded lie about until the next vacuum, and were all looked at.
CREATE INDEX fresh_stamp ON analytics.fresh (stamp);

DROP FUNCTION analytics.counted_since;
CREATE FUNCTION analytics.counted_since(known_place text, moment pg_snapshot, known_folds bigint)
RETURNS TABLE (fact text, labels text, at timestamptz, bucket integer, n bigint,
               s1 bigint, s2 bigint, s3 bigint, s4 bigint, s5 bigint, s6 bigint, stamp xid8)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    -- Another one after a crash, on another server, in another database, and after an installation anew: numbers of
    -- transactions that were lost are given again, and what was kept means nothing there.
    place text := concat_ws(' ', pg_postmaster_start_time(), (SELECT checkpoint_lsn FROM pg_control_checkpoint()),
                            current_database(), 'analytics.folds'::regclass::oid);
    folds bigint := (SELECT f.n FROM analytics.folds AS f);
    later xid8 := pg_snapshot_xmax(moment);
    running xid8[] := ARRAY(SELECT pg_snapshot_xip(moment));
BEGIN
    IF known_place IS NULL OR known_place = place AND known_folds = folds THEN
        RETURN QUERY
        SELECT f.fact, f.labels, f.at, f.bucket, f.n, f.s1, f.s2, f.s3, f.s4, f.s5, f.s6, f.stamp
        FROM analytics.fresh AS f WHERE f.stamp >= later;
        IF running <> '{}' THEN
            RETURN QUERY
            SELECT f.fact, f.labels, f.at, f.bucket, f.n, f.s1, f.s2, f.s3, f.s4, f.s5, f.s6, f.stamp
            FROM analytics.fresh AS f WHERE f.stamp = ANY (running);
        END IF;
    END IF;
    -- On a standby nobody knows which transactions were running, so all is new again the next time.
    RETURN QUERY
    SELECT place, CASE WHEN pg_is_in_recovery() THEN '3:3:' ELSE pg_current_snapshot()::text END, NULL::timestamptz, -1, folds,
           NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::xid8;
END $$;
COMMENT ON FUNCTION analytics.counted_since IS
    'Rows of fresh that were not visible at a moment; a last row, without a stamp, says where and of which moment this answer '
    'is, and (n) how often was folded. Only that row, where the place or the number of folds is not the known one; all rows '
    'where no place is given';
