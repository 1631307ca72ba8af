-- Lines about rows that have changed or gone are few at any moment, for the next step takes them away. Their index cost the
-- platform's own writers a good part of such a change, for all of them wrote to one page of it; and while vacuum had not come by,
-- it took longer to learn from it that no line is left than to read the table.
DROP INDEX analytics.retractions_source;
