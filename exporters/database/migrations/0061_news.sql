-- What counts a source may be told that there is news, for one function (analytics.news) tells it of all sources at once. These
-- functions are made for the tables that there are, not here: the earlier ones go, and `observatory db upgrade` makes them anew.
DO $$
DECLARE
    earlier regprocedure;
BEGIN
    FOR earlier IN
        SELECT p.oid::regprocedure FROM pg_proc AS p
        WHERE p.pronamespace = 'analytics'::regnamespace AND p.proname LIKE 'count\_%' AND p.pronargs = 0
    LOOP
        EXECUTE format('DROP FUNCTION %s', earlier);
    END LOOP;
END $$;
