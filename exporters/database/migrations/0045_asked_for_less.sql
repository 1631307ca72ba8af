-- Who asks what was counted since may name the facts that are wanted, so that the rest need not be carried together first; and
-- whether tables are still the same is looked at by reading alone, for they nearly always are.

DROP FUNCTION analytics.counted_since;
CREATE FUNCTION analytics.counted_since(known_place text, moment pg_snapshot, known_folds bigint, facts text[] DEFAULT NULL)
RETURNS TABLE (fact text, labels text, at timestamptz, bucket integer, n bigint,
               s1 bigint, s2 bigint, s3 bigint, s4 bigint, s5 bigint, s6 bigint, stamp xid8)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
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
        FROM analytics.fresh AS f WHERE f.stamp >= later AND (facts IS NULL OR f.fact = ANY (facts));
        IF running <> '{}' THEN
            RETURN QUERY
            SELECT f.fact, f.labels, f.at, f.bucket, f.n, f.s1, f.s2, f.s3, f.s4, f.s5, f.s6, f.stamp
            FROM analytics.fresh AS f WHERE f.stamp = ANY (running) AND (facts IS NULL OR f.fact = ANY (facts));
        END IF;
    END IF;
    -- On a standby nobody knows which transactions were running, so all is new again the next time.
    RETURN QUERY
    SELECT place, CASE WHEN pg_is_in_recovery() THEN '3:3:' ELSE pg_current_snapshot()::text END, NULL::timestamptz, -1, folds,
           NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::xid8;
END $$;
COMMENT ON FUNCTION analytics.counted_since IS
    'Rows of fresh, of these facts or of all, that were not visible at a moment; a last row, without a stamp, says where and of '
    'which moment this answer is, and (n) how often was folded. Only that row, where the place or the number of folds is not '
    'the known one; all rows where no place is given';

CREATE OR REPLACE FUNCTION analytics.halt_strangers(names text[], tables text[], highest_ids bigint[])
RETURNS TABLE (source text, problem text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    cluster text := (SELECT system_identifier::text FROM pg_control_system());
    newest xid8 := pg_snapshot_xmax(pg_current_snapshot());
    found record;
BEGIN
    FOR found IN
        SELECT s.source, CASE
            WHEN s.system_identifier <> cluster THEN 'the database lives in another cluster than the one that was counted'
            WHEN s.mode = 'snapshot' AND pg_snapshot_xmax((s.watermark #>> '{}')::pg_snapshot) > newest
                THEN 'the database is older than what was counted: it was restored'
            WHEN s.driving <> to_regclass(asked.name)::oid
                THEN 'another table has taken the place of the one that was counted'
            WHEN s.mode = 'ids' AND (s.watermark ->> 'last')::bigint > asked.highest_id
                 AND (s.watermark ->> 'last')::bigint > (
                    SELECT max(coalesce(pg_sequence_last_value(q.seqrelid), 0))
                    FROM pg_depend AS d JOIN pg_sequence AS q ON q.seqrelid = d.objid
                    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = s.driving AND d.deptype IN ('a', 'i')
                    AND has_sequence_privilege(q.seqrelid, 'SELECT'))
                THEN 'the table was emptied and its ids began anew'
            END AS problem
        FROM analytics.sources AS s
        JOIN unnest(names, tables, highest_ids) AS asked (source, name, highest_id) ON asked.source = s.source
        WHERE NOT s.halted
    LOOP
        CONTINUE WHEN found.problem IS NULL;
        RETURN QUERY
        UPDATE analytics.sources AS s SET halted = true, rebuild_needed = true,
            problem = found.problem || '; nothing is counted until `observatory db rebuild`'
        WHERE s.source = found.source RETURNING s.source, s.problem;
    END LOOP;
END $$;
