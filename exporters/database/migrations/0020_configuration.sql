-- What people want an agent to be configured with, and what the platform says that it is. A wish is never changed: a new one has
-- the next version, and the platform names the version that it acted on.
CREATE TABLE analytics.configuration_desired (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent        text NOT NULL,
    environment  text NOT NULL,
    setting      text NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    value        jsonb,
    reason       text NOT NULL DEFAULT '',
    asked_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (agent, environment, setting, version)
);
COMMENT ON COLUMN analytics.configuration_desired.value IS 'Null: what the platform takes by itself';

CREATE TABLE analytics.configuration_observed (
    agent        text NOT NULL,
    environment  text NOT NULL,
    setting      text NOT NULL,
    version      integer NOT NULL DEFAULT 0 CHECK (version >= 0),
    value        jsonb NOT NULL,
    state        text NOT NULL DEFAULT 'applied' CHECK (state IN ('applied', 'refused')),
    said         text NOT NULL DEFAULT '',
    at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (agent, environment, setting)
);
COMMENT ON COLUMN analytics.configuration_observed.version IS 'Of the wish that was acted on; 0 before there was one';
COMMENT ON COLUMN analytics.configuration_observed.value IS 'What is in force, also where the wish was refused';
