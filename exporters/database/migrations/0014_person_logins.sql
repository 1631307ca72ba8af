-- Whom the logins of persons stand for, who see their own figures. Only the installer writes it, and nobody else reads it.
CREATE TABLE analytics.person_logins (
    login    text PRIMARY KEY,
    user_id  text NOT NULL
);
COMMENT ON TABLE analytics.person_logins IS 'The user of the platform that each login for own figures stands for';
