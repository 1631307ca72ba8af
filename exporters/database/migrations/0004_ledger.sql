-- The ledger of model calls: every call and score of Langfuse once, as it was read last, and how far the reading has come.
-- No prompt, no answer, no message of an error: those are never fetched, or dropped before they get here.
CREATE TABLE analytics.llm_calls (
    observation_id      text PRIMARY KEY,
    trace_id            text,
    conversation_id     text,
    session_id          text,
    user_key            text,
    agent               text NOT NULL,
    version             text,
    environment         text NOT NULL,
    model               text NOT NULL,
    provider            text,
    type                text NOT NULL CHECK (type IN ('GENERATION', 'EMBEDDING')),
    level               text NOT NULL,
    status              text NOT NULL,
    error_type          text,
    started_at          timestamptz NOT NULL,
    ended_at            timestamptz,
    latency_ms          double precision,
    ttft_ms             double precision,
    input_tokens        bigint NOT NULL,
    output_tokens       bigint NOT NULL,
    cache_read_tokens   bigint NOT NULL,
    cache_write_tokens  bigint NOT NULL,
    reasoning_tokens    bigint NOT NULL,
    total_tokens        bigint NOT NULL,
    input_cost_usd      numeric(18, 9),
    output_cost_usd     numeric(18, 9),
    total_cost_usd      numeric(18, 9),
    cost_source         text CHECK (cost_source IN ('recorded', 'priced')),
    prompt_name         text,
    prompt_version      integer,
    release             text,
    changed_at          timestamptz NOT NULL,
    ingested_at         timestamptz NOT NULL DEFAULT now(),
    CHECK ((total_cost_usd IS NULL) = (cost_source IS NULL))
) WITH (fillfactor = 90);
-- A B-tree, for the past is filled in backwards: in a BRIN every range of pages would soon cover every time.
CREATE INDEX llm_calls_started_at ON analytics.llm_calls (started_at);
CREATE INDEX llm_calls_trace_id ON analytics.llm_calls (trace_id);
COMMENT ON TABLE analytics.llm_calls IS 'Model calls as Langfuse has them; read again for a while, since calls arrive late and change';
COMMENT ON COLUMN analytics.llm_calls.user_key IS 'Keyed hash of the user; the name that the client sent is not kept';
COMMENT ON COLUMN analytics.llm_calls.cost_source IS 'recorded: by Langfuse; priced: here, because Langfuse has no price; null: unknown';
COMMENT ON COLUMN analytics.llm_calls.changed_at IS 'When Langfuse changed the row last; an older state never replaces a newer one';

CREATE TABLE analytics.llm_scores (
    score_id        text PRIMARY KEY,
    name            text NOT NULL,
    source          text NOT NULL,
    environment     text NOT NULL,
    data_type       text NOT NULL,
    value           double precision,
    string_value    text,
    trace_id        text,
    observation_id  text,
    session_id      text,
    model           text,
    at              timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    ingested_at     timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90);
CREATE INDEX llm_scores_at ON analytics.llm_scores (at);
CREATE INDEX llm_scores_trace_id ON analytics.llm_scores (trace_id);
COMMENT ON TABLE analytics.llm_scores IS 'Judgements of calls and traces; no comments';

CREATE TABLE analytics.sync_state (
    source        text PRIMARY KEY,
    counted_from  timestamptz NOT NULL,
    read_until    timestamptz NOT NULL,
    newest        timestamptz NOT NULL,
    position      timestamptz NOT NULL,
    window_end    timestamptz,
    opened_at     timestamptz,
    cursor        text NOT NULL DEFAULT '',
    step_seconds  double precision NOT NULL CHECK (step_seconds > 0),
    reread_at     timestamptz NOT NULL,
    reread_from   timestamptz NOT NULL,
    past          timestamptz NOT NULL,
    past_begin    timestamptz,
    past_cursor   text NOT NULL DEFAULT '',
    asked_at      timestamptz
);
COMMENT ON TABLE analytics.sync_state IS 'How far each list of Langfuse has been read';
COMMENT ON COLUMN analytics.sync_state.counted_from IS 'Counters hold what began from then on; what is older is in the roll-ups only, so that filling in the past is no rush of calls';
COMMENT ON COLUMN analytics.sync_state.read_until IS 'When reading reached the present last: what Langfuse showed then is in the ledger';
COMMENT ON COLUMN analytics.sync_state.newest IS 'Time of the newest row that was read; the clock here may be wrong';
COMMENT ON COLUMN analytics.sync_state.position IS 'Where the window begins that is being read, or the next one';
COMMENT ON COLUMN analytics.sync_state.window_end IS 'Where that window ends; null between two windows';
COMMENT ON COLUMN analytics.sync_state.opened_at IS 'When its first page was read';
COMMENT ON COLUMN analytics.sync_state.cursor IS 'The next page of that window; pages go from its end to its beginning';
COMMENT ON COLUMN analytics.sync_state.reread_at IS 'When the rows of some time ago were read again last';
COMMENT ON COLUMN analytics.sync_state.reread_from IS 'What was the newest row then';
COMMENT ON COLUMN analytics.sync_state.past IS 'The past is filled in from here backwards';
COMMENT ON COLUMN analytics.sync_state.asked_at IS 'When an exporter asked last: others that share the schema need not ask as well';

CREATE TABLE analytics.model_prices (
    model_pattern    text NOT NULL,
    usage_type       text NOT NULL,
    usd_per_million  numeric NOT NULL CHECK (usd_per_million >= 0),
    valid_from       timestamptz NOT NULL DEFAULT now(),
    valid_to         timestamptz,
    PRIMARY KEY (model_pattern, usage_type, valid_from)
);
COMMENT ON TABLE analytics.model_prices IS 'Prices as Langfuse listed them, with the time in which they were listed; patterns are regular expressions';
