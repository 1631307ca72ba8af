-- When each user was last seen, and how many users were active at past moments.
CREATE TABLE analytics.user_seen (
    user_id     text COLLATE "C" PRIMARY KEY,
    last_at     timestamptz NOT NULL,
    earlier_at  timestamptz
) WITH (fillfactor = 80);
COMMENT ON TABLE analytics.user_seen IS 'The latest own message of each user, and the latest of the minutes before that one''s minute';

CREATE TABLE analytics.users_active_history (
    window_name  text NOT NULL,
    at           timestamptz NOT NULL,
    n            bigint NOT NULL,
    PRIMARY KEY (window_name, at)
);
COMMENT ON TABLE analytics.users_active_history IS 'Users who were active in a window that ended before this moment, as it was known then';
CREATE INDEX users_active_history_at ON analytics.users_active_history (at);
CREATE INDEX user_seen_last_at ON analytics.user_seen (last_at);
