-- What people decide and what is found out: targets, budgets, incidents, forecasts … Small tables, written by commands.
CREATE TABLE analytics.slo_config (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope_type      text NOT NULL CHECK (scope_type IN ('agent', 'group', 'all')),
    scope           text NOT NULL,
    sli             text NOT NULL CHECK (sli IN ('latency', 'errors', 'success')),
    target_seconds  double precision CHECK (target_seconds > 0),
    objective       double precision NOT NULL CHECK (objective > 0 AND objective < 1),
    window_days     integer NOT NULL CHECK (window_days BETWEEN 1 AND 90),
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK ((sli = 'latency') = (target_seconds IS NOT NULL)),
    UNIQUE (scope_type, scope, sli)
);

CREATE TABLE analytics.budgets (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope_type  text NOT NULL CHECK (scope_type IN ('agent', 'department', 'user_group', 'all')),
    scope       text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('cost', 'latency')),
    amount      numeric(14,6) NOT NULL CHECK (amount > 0),
    period      text NOT NULL CHECK (period IN ('day', 'week', 'month')),
    starts_on   date NOT NULL,
    ends_on     date CHECK (ends_on >= starts_on)
);

CREATE TABLE analytics.alert_rules (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    template  text NOT NULL,
    scope     text NOT NULL,
    params    jsonb NOT NULL DEFAULT '{}',
    channel   text NOT NULL,
    enabled   boolean NOT NULL DEFAULT true
);

CREATE TABLE analytics.incidents (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,
    ref        text NOT NULL,
    opened_at  timestamptz NOT NULL,
    closed_at  timestamptz CHECK (closed_at >= opened_at),
    severity   text NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    evidence   jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX incidents_opened_at ON analytics.incidents (opened_at);

CREATE TABLE analytics.regressions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent        text NOT NULL,
    version      text NOT NULL,
    environment  text NOT NULL,
    metric       text NOT NULL,
    before       double precision NOT NULL,
    after        double precision NOT NULL,
    p_value      double precision CHECK (p_value BETWEEN 0 AND 1),
    detected_at  timestamptz NOT NULL,
    source       text NOT NULL CHECK (source IN ('auto', 'manual')),
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'confirmed', 'dismissed'))
);
CREATE INDEX regressions_detected_at ON analytics.regressions (detected_at);

CREATE TABLE analytics.profiling_sessions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope         text NOT NULL,
    params        jsonb NOT NULL DEFAULT '{}',
    scheduled_at  timestamptz NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz CHECK (ended_at >= started_at),
    state         text NOT NULL DEFAULT 'scheduled' CHECK (state IN ('scheduled', 'running', 'done', 'failed', 'cancelled')),
    result        jsonb
);

CREATE TABLE analytics.load_tests (LIKE analytics.profiling_sessions INCLUDING ALL);

CREATE TABLE analytics.forecasts (
    series   text NOT NULL,
    at       timestamptz NOT NULL,
    value    double precision NOT NULL,
    low      double precision,
    high     double precision,
    method   text NOT NULL,
    made_at  timestamptz NOT NULL,
    PRIMARY KEY (series, at, method)
);

CREATE TABLE analytics.anomalies (
    series  text NOT NULL,
    at      timestamptz NOT NULL,
    value   double precision NOT NULL,
    low     double precision,
    high    double precision,
    score   double precision NOT NULL,
    PRIMARY KEY (series, at)
);

CREATE TABLE analytics.capacity_limits (
    scope       text NOT NULL,
    rps         double precision NOT NULL CHECK (rps > 0),
    valid_from  timestamptz NOT NULL,
    PRIMARY KEY (scope, valid_from)
);

CREATE TABLE analytics.audit_log (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    actor    text NOT NULL,
    action   text NOT NULL,
    target   text NOT NULL,
    before   jsonb,
    after    jsonb,
    dry_run  boolean NOT NULL DEFAULT false
);
CREATE INDEX audit_log_at ON analytics.audit_log (at);
COMMENT ON TABLE analytics.audit_log IS 'Who changed what. Its writers can add rows, not change or remove them';

-- What Alertmanager's webhook said: Prometheus forgets why an alert fired once its series are gone. One row a change of state.
CREATE TABLE analytics.alert_events (
    fingerprint  text NOT NULL,
    starts_at    timestamptz NOT NULL,
    status       text NOT NULL CHECK (status IN ('firing', 'resolved')),
    received_at  timestamptz NOT NULL,
    ends_at      timestamptz,
    alertname    text NOT NULL,
    severity     text NOT NULL,
    environment  text NOT NULL,
    agent        text NOT NULL,
    labels       jsonb NOT NULL,
    annotations  jsonb NOT NULL,
    PRIMARY KEY (fingerprint, starts_at, status)
);
CREATE INDEX alert_events_received_at ON analytics.alert_events (received_at);
