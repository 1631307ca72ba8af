-- What somebody did is taken back by a command, which is shown where it is shown who did it.
ALTER TABLE analytics.audit_log ADD COLUMN rollback text NOT NULL DEFAULT '';
COMMENT ON COLUMN analytics.audit_log.rollback IS 'The command that takes it back; empty where there is none, and for what is older';
