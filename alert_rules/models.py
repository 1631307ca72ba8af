"""Alerts on model calls, as the platform sees them at once: failures, refusals, slow beginnings, prompts that grow."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.accounts import changed, counted, share, slow, slower, timed
from alert_rules.agents import DEPLOYMENTS
from alert_rules.model import Alert, AlertGroup, Guard, MetricCheck, Severity, TableCheck
from alert_rules.stories import standard
from contract.signals.agents import AGENT_RETRIES
from contract.signals.models import (
    FIRST_CHUNK_CHANGE,
    LLM_CACHE_READ_RATIO,
    LLM_CALLS,
    LLM_COST,
    LLM_ERROR_RATIO,
    LLM_FAILURES,
    LLM_FIRST_CHUNK,
    LLM_LATENCY,
    LLM_RATE_LIMITED,
    LLM_RATE_LIMITED_RATIO,
    LLM_TOKENS,
    LLM_TOKENS_PER_CALL,
    TOKENS_PER_CALL_CHANGE,
)

GROUP = AlertGroup("model_alerts", "1m")
CHANGES = AlertGroup("model_changes", "1m")
PROVIDER = ("environment", "gen_ai_provider_name")
MODEL = (*PROVIDER, "gen_ai_request_model")

_CALLS_SQL = """\
SELECT environment, agent, version, model, count(*) AS calls,
       avg(input_tokens)::int AS input, avg(output_tokens)::int AS output,
       count(*) FILTER (WHERE error_type <> '') AS failed, percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) AS p95_ms
FROM analytics.llm_calls
WHERE started_at >= :'since'
GROUP BY environment, agent, version, model
ORDER BY calls DESC
LIMIT 40;"""
_ABOUT = (
    ("gen_ai_operation_name", "chat"),
    ("gen_ai_provider_name", "openai"),
    ("gen_ai_request_model", "gpt-4.1"),
)
_CALL = "gen_ai_client_operation_duration_seconds_count"
_WELL, _LIMITED = counted(_CALL, ("error_type", "")), counted(_CALL, ("error_type", "rate_limit"))
_FAILING = MetricCheck("Which models fail, and how often?", LLM_ERROR_RATIO, MODEL, "15m")
_KINDS = MetricCheck("What kind of errors are they?", LLM_FAILURES, (*MODEL, "error_type"), "15m")
_CALLED = MetricCheck("How many calls are there?", LLM_CALLS, MODEL, "15m")
_WHO = TableCheck("Which agents and versions make these calls?", _CALLS_SQL)

_ENOUGH_TODAY_AND_YESTERDAY = tuple(
    Guard(calls, "1h", "minimum_model_calls_hour") for calls in (LLM_CALLS, LLM_CALLS.shifted("1d"))
)
"""The first few calls of a new model say nothing of what is usual for it."""

ERRORS = Alert(
    name="ModelErrorRatioHigh",
    group=GROUP,
    concern="model-errors",
    signal=LLM_ERROR_RATIO,
    by=MODEL,
    window="15m",
    comparison=">",
    threshold="model_error_ratio",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="agents",
    summary="Calls of a model fail more often than they may.",
    description="{value} of the calls of {gen_ai_request_model} ({gen_ai_provider_name}) in {environment} failed in the last "
    "{window}; {threshold} is the limit. It has been so for {hold}.",
    meaning="The provider answers with errors, or not in time, or refuses what is sent to it.",
    impact="Agents on this model try again, then fail; their users wait longer or get no answer.",
    checks=(_FAILING, _KINDS, _CALLED, _WHO),
    next_steps=(
        "`rate_limit`: follow ModelRateLimited. `timeout`: look at ModelResponseTimeHigh.",
        "Only one model of the provider: switch its agents to their fallback model until the status page is green.",
        "`validation` or `auth`: it is our side; a key has expired, or a release sends what the model does not take.",
    ),
    scenarios=standard(share(_ABOUT, wrong=counted(_CALL, ("error_type", "timeout")), right=_WELL)),
    guards=(Guard(LLM_FAILURES, "15m", "minimum_failures"),),
)
PROVIDER_DOWN = replace(
    ERRORS,
    name="ModelProviderDown",
    by=PROVIDER,
    window="5m",
    threshold="provider_error_ratio",
    hold="2m",
    severity=Severity.CRITICAL,
    summary="A model provider serves hardly any call.",
    description="{value} of all calls of models of {gen_ai_provider_name} in {environment} failed in the last {window}; more "
    "than {threshold} is an outage. It has been so for {hold}.",
    meaning="All models of the provider together fail most of the time. It mutes the alerts on single models of the provider, "
    "and the warnings on agents that fail, wait or try again in the same environment.",
    impact="Agents on this provider cannot answer at all.",
    checks=(
        MetricCheck("Which providers fail?", LLM_ERROR_RATIO, PROVIDER),
        _KINDS,
        MetricCheck("Which other providers still answer?", LLM_CALLS, PROVIDER, "15m"),
        _WHO,
    ),
    next_steps=(
        "Switch the agents to models of a provider that still answers; the last check says which agents.",
        "The status page is green and only we fail: the key was revoked, an invoice is unpaid, or the way out is blocked. Try "
        "one call by hand from the same host.",
        "No other provider can take over: tell users in the product, so that they stop trying again.",
        "Leave it switched until the provider has been well for half an hour; outages come in pairs.",
    ),
    scenarios=standard(share(_ABOUT, wrong=counted(_CALL, ("error_type", "llm")), right=_WELL)),
    guards=(Guard(LLM_FAILURES, "5m", "minimum_failures"),),
)
RATE_LIMITED = replace(
    ERRORS,
    name="ModelRateLimited",
    signal=LLM_RATE_LIMITED_RATIO,
    threshold="rate_limited_ratio",
    summary="A model provider refuses calls because there are too many.",
    description="{value} of the calls of {gen_ai_request_model} ({gen_ai_provider_name}) in {environment} were refused by a "
    "rate limit in the last {window}; {threshold} is the limit. It has been so for {hold}.",
    meaning="The provider's limit of requests or tokens per minute is used up (HTTP 429).",
    impact="Refused calls are made again after a wait, which makes answers slow; some are given up.",
    checks=(
        MetricCheck("Which models are refused?", LLM_RATE_LIMITED_RATIO, MODEL, "15m"),
        MetricCheck("Has the use of tokens grown?", LLM_TOKENS, (*MODEL, "gen_ai_token_type"), "5m", "1d"),
        MetricCheck("Do agents repeat calls?", AGENT_RETRIES, ("environment", "agent", "reason"), "1h"),
        _WHO,
    ),
    next_steps=(
        "Many tokens a call: the limit is one of tokens; shorten contexts, or see ModelTokensPerCallJumped.",
        "A batch job runs beside the users: stop it, or give it a key with a limit of its own.",
        "Ordinary growth: ask the provider for a higher limit, and spread calls over a second model until then.",
    ),
    scenarios=standard(share(_ABOUT, wrong=_LIMITED, right=_WELL)),
    guards=(Guard(LLM_RATE_LIMITED, "15m", "minimum_failures"),),
)
SLOW_START = replace(
    ERRORS,
    name="ModelFirstChunkSlow",
    concern="model-first-chunk",
    signal=LLM_FIRST_CHUNK,
    threshold="first_chunk_seconds",
    summary="A model begins its answers too late.",
    description="For 5% of the calls of {gen_ai_request_model} ({gen_ai_provider_name}) in {environment} the first chunk took "
    "longer than {value} in the last {window}; {threshold} is the limit. It has been so for {hold}.",
    meaning="The time to the first chunk is what users feel as reaction, since answers are shown as they come.",
    impact="Users look at an empty answer for seconds, and some ask again.",
    checks=(
        MetricCheck("Which models begin late?", LLM_FIRST_CHUNK, MODEL, "15m"),
        MetricCheck("How many tokens are sent in a call?", LLM_TOKENS_PER_CALL, MODEL, "1h"),
        MetricCheck("Does the prompt cache still work?", LLM_CACHE_READ_RATIO, MODEL, "1h"),
        _WHO,
    ),
    next_steps=(
        "The whole call is slow as well: the provider is busy; see its status page, switch to a fallback model.",
        "The share read from the prompt cache fell: the beginning of a prompt changes with each call; put what varies last.",
        "Longer prompts since a release: shorten what that version sends, or roll it back.",
    ),
    scenarios=standard(slow(_ABOUT, _WELL)),
    guards=(Guard(LLM_CALLS, "15m", "minimum_model_calls"),),
)
SLOW_CALLS = replace(
    SLOW_START,
    name="ModelResponseTimeHigh",
    concern="model-latency",
    signal=LLM_LATENCY,
    threshold="model_seconds",
    summary="Calls of a model take too long.",
    description="The slowest 5% of the calls of {gen_ai_request_model} ({gen_ai_provider_name}) in {environment} took longer "
    "than {value} in the last {window}; {threshold} is the limit. It has been so for {hold}.",
    meaning="From request to the last chunk, one call in twenty takes longer than any answer should.",
    impact="Answers on this model are slow to end; queries run into their time limit.",
    checks=(
        MetricCheck("Which models are slow?", LLM_LATENCY, MODEL, "15m"),
        MetricCheck("Do they begin late, or write for long?", LLM_FIRST_CHUNK, MODEL, "15m"),
        MetricCheck("How many tokens are sent and received in a call?", LLM_TOKENS_PER_CALL, MODEL, "1h"),
        _WHO,
    ),
    next_steps=(
        "It begins in time and writes for long: answers have become longer; set a limit of output tokens, look at the prompt.",
        "It begins late: follow ModelFirstChunkSlow.",
        "A model that reasons was switched on: give it to the queries that need it, and a quick one to the rest.",
    ),
    scenarios=standard(slow(_ABOUT, counted("gen_ai_client_token_usage_count", ("gen_ai_token_type", "input")))),
)
SLOWER_START = replace(
    SLOW_START,
    name="ModelFirstChunkSlower",
    group=CHANGES,
    signal=FIRST_CHUNK_CHANGE,
    window="1h",
    threshold="first_chunk_change",
    hold="8m",
    keep_firing_for="20m",
    summary="A model begins its answers much later than yesterday.",
    description="The median time to the first chunk of {gen_ai_request_model} ({gen_ai_provider_name}) in {environment} is "
    "{value} what it was at this time yesterday; {threshold} is the limit. It has been so for {hold}.",
    meaning="The usual call has become slower to begin, not only a few of them.",
    impact="The product feels slower than the day before, without anything failing.",
    checks=(
        MetricCheck("How much slower is each model?", FIRST_CHUNK_CHANGE, MODEL, "1h"),
        *SLOW_START.checks[1:],
        DEPLOYMENTS,
    ),
    scenarios=standard(slower(_ABOUT, _WELL)),
    guards=_ENOUGH_TODAY_AND_YESTERDAY,
)
TOKENS_JUMP = replace(
    SLOWER_START,
    name="ModelTokensPerCallJumped",
    concern="model-tokens",
    signal=TOKENS_PER_CALL_CHANGE,
    threshold="tokens_per_call_change",
    summary="Calls of a model use many more tokens than yesterday.",
    description="A call of {gen_ai_request_model} ({gen_ai_provider_name}) in {environment} uses {value} the tokens of "
    "this time yesterday; {threshold} is the limit. It has been so for {hold}.",
    meaning="Prompts or answers have grown at a stroke: a loop feeds an agent its own output, a context is not cut, or a "
    "document is sent whole.",
    impact="Each answer costs and lasts a multiple. The budget of the month may go within days.",
    checks=(
        MetricCheck("How much more is it?", TOKENS_PER_CALL_CHANGE, MODEL, "1h"),
        MetricCheck("Is it what is sent, or what is written?", LLM_TOKENS, (*MODEL, "gen_ai_token_type"), "5m", "1d"),
        MetricCheck("Which agent pays for it?", LLM_COST, ("environment", "agent"), "1h"),
        _WHO,
        DEPLOYMENTS,
    ),
    next_steps=(
        "One agent and a new version of it: roll that version back now, look for the reason afterwards.",
        "Input grows with each turn of a conversation: the history is not cut; set its limit.",
        "Output has grown: the model repeats itself; set a limit of output tokens, and look at the prompt's last change.",
    ),
    scenarios=standard(
        changed(
            _ABOUT,
            counted("gen_ai_client_token_usage_sum", ("gen_ai_token_type", "input")),
            timed("gen_ai_client_operation_duration_seconds", 1.0, ("error_type", "")),
        )
    ),
)

ALERTS = (ERRORS, PROVIDER_DOWN, RATE_LIMITED, SLOW_START, SLOW_CALLS, SLOWER_START, TOKENS_JUMP)
