-- What every round of the exporter asks, as functions: they are planned once a session, not in each round.

-- Functions of earlier versions that took a step; those of this version have other names and another result.
DO $$
DECLARE old regprocedure;
BEGIN
    FOR old IN SELECT oid FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace AND starts_with(proname, 'step_') LOOP
        EXECUTE format('DROP FUNCTION %s', old);
    END LOOP;
END $$;

CREATE FUNCTION analytics.counted_since(known_place text, moment pg_snapshot, known_folds bigint)
RETURNS TABLE (fact text, labels text, at timestamptz, bucket integer, n bigint,
               s1 bigint, s2 bigint, s3 bigint, s4 bigint, s5 bigint, s6 bigint)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    -- Another one after a crash, on another server, in another database, and after an installation anew: numbers of
    -- transactions that were lost are given again, and what was kept means nothing there.
    place text := concat_ws(' ', pg_postmaster_start_time(), (SELECT checkpoint_lsn FROM pg_control_checkpoint()),
                            current_database(), 'analytics.folds'::regclass::oid);
    folds bigint := (SELECT f.n FROM analytics.folds AS f);
BEGIN
    IF known_place IS NULL OR known_place = place AND known_folds = folds THEN
        RETURN QUERY
        SELECT f.fact, f.labels, f.at, f.bucket, f.n, f.s1, f.s2, f.s3, f.s4, f.s5, f.s6 FROM analytics.fresh AS f
        WHERE f.stamp >= pg_snapshot_xmax(moment) OR f.stamp = ANY (ARRAY(SELECT pg_snapshot_xip(moment)))
        ORDER BY f.stamp, f.fact, f.labels;
    END IF;
    -- On a standby nobody knows which transactions were running, so all is new again the next time.
    RETURN QUERY
    SELECT place, CASE WHEN pg_is_in_recovery() THEN '3:3:' ELSE pg_current_snapshot()::text END, NULL::timestamptz, -1, folds,
           NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint;
END $$;
COMMENT ON FUNCTION analytics.counted_since IS
    'Rows of fresh that were not visible at a moment, in the order in which they were counted; a last row says where and of '
    'which moment this answer is, and (n) how often was folded. Only that row, where the place or the number of folds is '
    'not the known one; all rows where no place is given';

CREATE FUNCTION analytics.halt_strangers(names text[], tables text[], highest_ids bigint[])
RETURNS TABLE (source text, problem text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    cluster text := (SELECT system_identifier::text FROM pg_control_system());
    newest xid8 := pg_snapshot_xmax(pg_current_snapshot());
BEGIN
    RETURN QUERY
    WITH found AS (
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
    )
    UPDATE analytics.sources AS s SET halted = true, rebuild_needed = true,
        problem = found.problem || '; nothing is counted until `observatory db rebuild`'
    FROM found WHERE found.source = s.source AND found.problem IS NOT NULL
    RETURNING s.source, s.problem;
END $$;
COMMENT ON FUNCTION analytics.halt_strangers IS
    'Halts the sources whose tables (as SQL writes them) are not those that were counted, and tells what is wrong with each. '
    'highest_ids: of sources that are captured by their ids, the highest that there is';
