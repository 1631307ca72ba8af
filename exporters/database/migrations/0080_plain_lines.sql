-- Lines about changed rows cost their writer less: what a row was is kept as texts and times, for JSON takes longer to be made, and
-- no sequence is asked for the order of lines. One line about a row is written behind another, and the log only grows, so the place
-- in it tells which was first. Lines of triggers that are older hold JSON still. An exporter of an earlier version asks for the order
-- by its former name, so it counts no such line.
ALTER TABLE analytics.retractions
    ADD COLUMN names text[], ADD COLUMN texts text[], ADD COLUMN times timestamptz[], ADD COLUMN noted_at pg_lsn;
UPDATE analytics.retractions SET noted_at = '0/0'::pg_lsn + line;
ALTER TABLE analytics.retractions
    DROP COLUMN line,
    ALTER COLUMN noted_at SET DEFAULT pg_current_wal_insert_lsn(),
    ALTER COLUMN noted_at SET NOT NULL,
    SET (autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE analytics.retractions IS
    'Versions of rows that triggers saw end: updates of final rows, and deletions. What the row was, but for its key, is in texts and '
    'then times, whose names are in this order, or in image. Without either: the table was truncated';
