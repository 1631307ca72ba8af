-- What is to come and what to do, made anew a few times a day: nothing here is history, and nothing is lost with it.
COMMENT ON TABLE analytics.forecasts IS 'Days to come (UTC), as the method that did best on the past has them; the newest forecast only';

CREATE TABLE analytics.forecast_trials (
    series    text NOT NULL,
    method    text NOT NULL,
    used      boolean NOT NULL,
    days      integer NOT NULL,
    points    integer NOT NULL,
    ahead     integer NOT NULL,
    relative  double precision,
    share     double precision,
    covered   double precision,
    change    double precision,
    made_at   timestamptz NOT NULL,
    PRIMARY KEY (series, method)
);
COMMENT ON TABLE analytics.forecast_trials IS 'How each method would have done; method none: too few days are known, and nothing is forecast';
COMMENT ON COLUMN analytics.forecast_trials.days IS 'Whole days that are known';
COMMENT ON COLUMN analytics.forecast_trials.points IS 'Points in the past from which it was tried, each so many days ahead';
COMMENT ON COLUMN analytics.forecast_trials.relative IS 'Sum of absolute errors / that of the same weekday a week before; below 1 is better';
COMMENT ON COLUMN analytics.forecast_trials.share IS 'Sum of absolute errors / sum of what happened';
COMMENT ON COLUMN analytics.forecast_trials.covered IS 'Share of days that lay between low and high';
COMMENT ON COLUMN analytics.forecast_trials.change IS 'Mean of the next four weeks / mean of the last four, of the method that is used';

CREATE TABLE analytics.active_users_daily (
    day    timestamptz PRIMARY KEY,
    users  bigint NOT NULL
);
COMMENT ON TABLE analytics.active_users_daily IS 'Users with at least one own message on a day (UTC)';

CREATE TABLE analytics.advice (
    id              text PRIMARY KEY,
    place           integer NOT NULL,
    kind            text NOT NULL,
    agent           text NOT NULL,
    environment     text NOT NULL,
    subject         text NOT NULL,
    what            text NOT NULL,
    why             text NOT NULL,
    setting         text NOT NULL,
    before          text NOT NULL,
    after           text NOT NULL,
    effect          double precision NOT NULL,
    low             double precision NOT NULL,
    high            double precision NOT NULL,
    unit            text NOT NULL,
    p_value         double precision NOT NULL CHECK (p_value BETWEEN 0 AND 1),
    not_considered  text NOT NULL,
    found_at        timestamptz NOT NULL,
    made_at         timestamptz NOT NULL
);
COMMENT ON TABLE analytics.advice IS 'What fixed rules found in the last days, and chance does not explain; the surest large effect first';
COMMENT ON COLUMN analytics.advice.place IS 'From 1, among all advice of the same unit';
COMMENT ON COLUMN analytics.advice.effect IS 'What it would gain in 30 days, with low and high at 95 of 100';
COMMENT ON COLUMN analytics.advice.setting IS 'Of the agent''s configuration, with before and after; empty where there is nothing to set';
COMMENT ON COLUMN analytics.advice.p_value IS 'Corrected for everything that was compared in the same run (Holm)';
COMMENT ON COLUMN analytics.advice.found_at IS 'When it was found first, without a run since that did not';

CREATE TABLE analytics.outlook_runs (
    made_at   timestamptz PRIMARY KEY,
    compared  integer NOT NULL,
    advised   integer NOT NULL,
    seconds   double precision NOT NULL
);
COMMENT ON TABLE analytics.outlook_runs IS 'When forecasts and advice were made, how much was compared, what it took';
