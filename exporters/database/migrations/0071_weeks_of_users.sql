-- Who has been counted in a week is remembered with the user, who is read anyhow: most of those who write have written before in
-- the same week, and each was looked up in the keys that count once.
ALTER TABLE analytics.user_seen ADD COLUMN week date;
COMMENT ON COLUMN analytics.user_seen.week IS 'Monday (UTC) of a week in which the user was counted as active; firsts has its key';
