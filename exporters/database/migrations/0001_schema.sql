-- The schema, the record of these files, and two small tables that everything else stands on. No grants here: `observatory db
-- install` renders them from what exists, because the roles of a server may be made by somebody else.
CREATE SCHEMA analytics;
COMMENT ON SCHEMA analytics IS 'Agent Observatory: made by `observatory db install`; removed by `observatory db uninstall`';

CREATE TABLE analytics.migrations (
    number      integer PRIMARY KEY,
    name        text NOT NULL,
    digest      text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE analytics.migrations IS 'Which versioned files made this schema, and the SHA-256 of each';

CREATE TABLE analytics.installation (
    name   text PRIMARY KEY,
    value  text NOT NULL
);
COMMENT ON TABLE analytics.installation IS 'What the process has to find again: the check value of the user key, for example';

CREATE TABLE analytics.user_keys (
    user_id   text PRIMARY KEY,
    user_key  text NOT NULL
);
CREATE INDEX user_keys_user_key ON analytics.user_keys (user_key);
COMMENT ON TABLE analytics.user_keys IS 'Pseudonyms of users. They are made in the process: the key is never in the database';
