-- One automatic finding for a measure of a version: whoever finds it again changes that row while it is open, and never reopens it.
CREATE UNIQUE INDEX regressions_found ON analytics.regressions (agent, version, environment, metric) WHERE source = 'auto';
COMMENT ON TABLE analytics.regressions IS
    'Versions that did worse than the one before them: metric errors is a share, latency a median in seconds';
