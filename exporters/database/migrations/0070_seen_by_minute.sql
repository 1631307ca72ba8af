-- Of users it is kept in which minute they were last seen: nothing asks for more, and who writes again within a minute is not
-- written anew.
UPDATE analytics.user_seen
SET last_at = date_bin('1 minute', last_at, 'epoch'), earlier_at = date_bin('1 minute', earlier_at, 'epoch')
WHERE (last_at, earlier_at) IS DISTINCT FROM (date_bin('1 minute', last_at, 'epoch'), date_bin('1 minute', earlier_at, 'epoch'));
COMMENT ON TABLE analytics.user_seen IS 'The minute of the latest own message of each user, and the latest of the minutes before it in which there was one';
