-- A final row that changes keeps its stamp, so that the platform's update renews no index. What was counted of it is in the first
-- of its lines, and for one row lines are written one after the other: who changes it waits for whoever does.
ALTER TABLE analytics.retractions ADD COLUMN line bigint GENERATED ALWAYS AS IDENTITY;
-- An exporter of an earlier version does not know what such a line says, nor what is kept so that counters do not fall. It asks for
-- the column by its former name, so it counts and reads nothing until it is replaced: it serves what it has, and says that it fails.
ALTER TABLE analytics.sources RENAME COLUMN corrections TO corrected;
