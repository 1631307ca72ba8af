-- Our trigger on updates has another name, so that it runs behind the platform's own. An exporter of an earlier version would take it
-- for gone, and ask for everything to be counted anew. It asks for the states of sources by a former name, so it learns of none, and
-- counts nothing until it is replaced.
ALTER TABLE analytics.sources RENAME COLUMN audited_at TO recounted_at;
