-- Quantiles of histograms: counts add up over time and labels, quantiles do not.
CREATE FUNCTION analytics.quantile(share double precision, counts bigint[], bounds double precision[])
RETURNS double precision LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
    rank   double precision := share * (SELECT sum(c) FROM unnest(counts) AS c);
    before double precision := 0;
    lower_bound double precision := 0;
BEGIN
    IF rank IS NULL OR share NOT BETWEEN 0 AND 1 OR cardinality(counts) <> cardinality(bounds) + 1 THEN
        RETURN NULL;
    END IF;
    FOR i IN 1 .. cardinality(bounds) LOOP
        IF counts[i] > 0 AND before + counts[i] >= rank THEN
            RETURN lower_bound + (bounds[i] - lower_bound) * (rank - before) / counts[i];
        END IF;
        before := before + counts[i];
        lower_bound := bounds[i];
    END LOOP;
    RETURN CASE WHEN before < (SELECT sum(c) FROM unnest(counts) AS c) THEN lower_bound END;
END $$;
COMMENT ON FUNCTION analytics.quantile IS
    'Quantile of a histogram, straight within its bucket; the greatest bound for what lies beyond it; null without counts. '
    'counts: one a bound (not cumulative), then those beyond the last';
