-- When each user was last seen, and how many users were active at past moments.
CREATE TABLE analytics.user_seen (
    user_id  text COLLATE "C" PRIMARY KEY,
    last_at  timestamptz NOT NULL
) WITH (fillfactor = 80);
COMMENT ON TABLE analytics.user_seen IS 'The latest own message of each user';

CREATE TABLE analytics.users_active_history (
    window_name  text NOT NULL,
    at           timestamptz NOT NULL,
    n            bigint NOT NULL,
    PRIMARY KEY (window_name, at)
);
COMMENT ON TABLE analytics.users_active_history IS 'Active users of a window that ended at a past moment';
