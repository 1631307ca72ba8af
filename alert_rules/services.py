"""Alerts on the platform's HTTP interface, its edge functions, and logins."""

from __future__ import annotations

from alert_rules.accounts import counted, share, slow
from alert_rules.model import Alert, AlertGroup, Guard, MetricCheck, Severity, TableCheck
from alert_rules.stories import standard
from contract.signals.agents import AGENT_ERROR_RATIO
from contract.signals.http import (
    HTTP_CLIENT_ERROR_RATIO,
    HTTP_IN_PROGRESS,
    HTTP_LATENCY,
    HTTP_REQUESTS,
    HTTP_SERVER_ERROR_RATIO,
    HTTP_SERVER_ERRORS,
)
from contract.signals.sources import TARGET_UP
from contract.signals.stores import (
    DB_LATENCY,
    EDGE_ERROR_RATIO,
    EDGE_FAILURES,
    EDGE_INVOCATIONS,
    EDGE_LATENCY,
    POOL_PENDING,
)
from contract.signals.users import LOGGED_IN, LOGIN_FAILURE_RATIO, LOGIN_FAILURES, LOGINS

GROUP = AlertGroup("service_alerts", "30s")
PAGES = AlertGroup("service_pages", "15s")
ENVIRONMENT, HANDLER = ("environment",), ("environment", "handler")
FUNCTION = ("environment", "function")

_LOGINS_SQL = """\
SELECT date_trunc('minute', at) AS minute, result, count(*) AS attempts, count(DISTINCT user_key) AS users
FROM analytics.login_events
WHERE at >= :'since'
GROUP BY minute, result
ORDER BY minute DESC
LIMIT 60;"""
_ROUTE = (("handler", "/api/search"), ("method", "GET"))
_WRONG = counted("http_requests_total", ("status", "503"))
_RIGHT = counted("http_requests_total", ("status", "200"))
_HTTP_CHECKS = (
    MetricCheck("Which routes fail?", HTTP_SERVER_ERROR_RATIO, HANDLER),
    MetricCheck("With which answers?", HTTP_SERVER_ERRORS, ("environment", "handler", "status"), "15m"),
    MetricCheck("Do agents fail, whose route is one of them?", AGENT_ERROR_RATIO, ("environment", "agent")),
    MetricCheck("Do requests wait for a database connection?", POOL_PENDING, ("environment", "pool")),
)
_HTTP_STEPS = (
    "Only the route of agent queries: the agents fail, not the interface; follow AgentErrorRatioHigh.",
    "502, 503 or 504 on all routes: processes restart or cannot be reached; look at their log, memory and the balancer.",
    "500 on one route since a release: roll that release back.",
    "Requests wait for database connections: follow DatabasePoolExhausted first, for the errors come from there.",
)

HTTP_ERRORS = Alert(
    name="HttpErrorRatioHigh",
    group=GROUP,
    concern="http-errors",
    signal=HTTP_SERVER_ERROR_RATIO,
    by=HANDLER,
    window="5m",
    comparison=">",
    threshold="http_error_ratio",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="A route of the platform answers with server errors.",
    description="{value} of the requests to {handler} in {environment} got a 5xx answer in the last {window}; {threshold} is "
    "the limit. It has been so for {hold}.",
    meaning="The platform could not do what it was asked for, through no fault of the caller.",
    impact="The part of the application behind this route shows errors to its users.",
    checks=_HTTP_CHECKS,
    next_steps=_HTTP_STEPS,
    scenarios=standard(
        share(
            _ROUTE[:1],
            wrong=counted("http_requests_total", ("method", "GET"), ("status", "503")),
            right=counted("http_requests_total", ("method", "GET"), ("status", "200")),
        )
    ),
    guards=(Guard(HTTP_SERVER_ERRORS, "5m", "minimum_failures"),),
    labels=(("depends", "AgentErrorsPage"),),
)
HTTP_PAGE = Alert(
    name="HttpErrorsPage",
    group=PAGES,
    concern="http-errors",
    signal=HTTP_SERVER_ERROR_RATIO,
    by=ENVIRONMENT,
    window="1m",
    comparison=">",
    threshold="http_error_ratio_page",
    hold="0s",
    keep_firing_for="1m",
    severity=Severity.CRITICAL,
    team="platform",
    paging=True,
    summary="The platform's HTTP interface fails right now.",
    description="{value} of all HTTP requests in {environment} got a 5xx answer in the last {window}; more than {threshold} "
    "wakes people, without waiting.",
    meaning="Within a single minute a large share of all requests of an environment failed, on all routes taken together. It "
    "mutes HttpErrorRatioHigh of that environment.",
    impact="The application is broken for everybody who uses it now.",
    checks=(
        *_HTTP_CHECKS,
        MetricCheck("Do all targets of the platform answer?", TARGET_UP, ("environment", "job", "instance")),
    ),
    next_steps=_HTTP_STEPS,
    scenarios=standard(share(_ROUTE, wrong=_WRONG, right=_RIGHT)),
    guards=(Guard(HTTP_SERVER_ERRORS, "1m", "minimum_failures_page"),),
)
HTTP_SLOW = Alert(
    name="HttpResponseTimeHigh",
    group=GROUP,
    concern="http-latency",
    signal=HTTP_LATENCY,
    by=HANDLER,
    window="5m",
    comparison=">",
    threshold="http_seconds",
    hold="10m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="A route of the platform answers too slowly.",
    description="The slowest 5% of the requests to {handler} in {environment} took longer than {value} in the last {window}; "
    "{threshold} is the limit, and it has been passed for {hold}.",
    meaning="One request in twenty to this route takes longer than people wait for a page.",
    impact="Pages load slowly or not at all; browsers repeat requests, which makes it slower still.",
    checks=(
        MetricCheck("Which routes are slow?", HTTP_LATENCY, HANDLER),
        MetricCheck("Which database operations are slow?", DB_LATENCY, ("environment", "operation")),
        MetricCheck("How many requests are being answered?", HTTP_IN_PROGRESS, HANDLER),
        MetricCheck("Do requests wait for a database connection?", POOL_PENDING, ("environment", "pool")),
    ),
    next_steps=(
        "Only the route of agent queries: follow AgentResponseTimeHigh.",
        "Database operations are slow as well: look for a long transaction, a lock or a missing index.",
        "More requests under way than usual on all routes: add processes, and find out who sends them.",
        "One route, since a release: roll the release back.",
    ),
    scenarios=standard(
        slow((("handler", "/api/search"), ("method", "GET")), counted("http_requests_total", ("status", "200")))
    ),
    guards=(Guard(HTTP_REQUESTS, "5m", "minimum_requests"),),
    labels=(("depends", "AgentResponseTimePage"),),
)
EDGE_ERRORS = Alert(
    name="EdgeFunctionErrorRatioHigh",
    group=GROUP,
    concern="edge-errors",
    signal=EDGE_ERROR_RATIO,
    by=FUNCTION,
    window="5m",
    comparison=">",
    threshold="store_error_ratio",
    hold="5m",
    keep_firing_for="5m",
    severity=Severity.WARNING,
    team="platform",
    summary="An edge function fails more often than it may.",
    description="{value} of the calls of edge function {function} in {environment} failed in the last {window}; {threshold} is "
    "the limit. It has been so for {hold}.",
    meaning="The function ends in an error, a timeout or a 5xx answer.",
    impact="What the function does for users is left out: mails are not sent, webhooks are not taken in, pictures stay large.",
    checks=(
        MetricCheck("Which functions fail?", EDGE_ERROR_RATIO, FUNCTION),
        MetricCheck("How do their calls end?", EDGE_INVOCATIONS, ("environment", "function", "status"), "15m"),
        MetricCheck("Do they run into their time limit?", EDGE_LATENCY, FUNCTION),
    ),
    next_steps=(
        "Read the function's log at its host; the last deployment of the function is the first suspect.",
        "Timeouts only: what the function calls is slow; look at that service, then at the function's time limit.",
        "Several functions at once: look at the host's status page, and at keys that all of them use.",
    ),
    scenarios=standard(
        share(
            (("function", "send-mail"),),
            wrong=counted("edge_function_invocations_total", ("status", "error")),
            right=counted("edge_function_invocations_total", ("status", "success")),
        )
    ),
    guards=(Guard(EDGE_FAILURES, "5m", "minimum_failures"),),
)
LOGIN_ERRORS = Alert(
    name="LoginFailureRatioHigh",
    group=GROUP,
    concern="logins",
    signal=LOGIN_FAILURE_RATIO,
    by=ENVIRONMENT,
    window="15m",
    comparison=">",
    threshold="login_failure_ratio",
    hold="5m",
    keep_firing_for="10m",
    severity=Severity.WARNING,
    team="platform",
    summary="Many attempts to log in fail.",
    description="{value} of the attempts to log in to {environment} failed in the last {window}; {threshold} is the limit. It "
    "has been so for {hold}.",
    meaning="Either people cannot get in, or somebody tries passwords.",
    impact="Users are locked out, or accounts are under attack.",
    checks=(
        MetricCheck("How large is the share?", LOGIN_FAILURE_RATIO, ENVIRONMENT, "15m"),
        MetricCheck("How many attempts are there of each kind?", LOGINS, ("environment", "result"), "15m"),
        TableCheck("Since which minute, and by how many users?", _LOGINS_SQL),
        MetricCheck("Does the login route answer with errors?", HTTP_CLIENT_ERROR_RATIO, HANDLER, "15m"),
        MetricCheck("How many sessions are logged in?", LOGGED_IN, ENVIRONMENT),
    ),
    next_steps=(
        "As many successes as ever, failures on top of them: an attack; limit attempts for each address and tell security.",
        "Hardly any success: the identity provider is down or its key has changed; try to log in yourself and read its answer.",
        "Few users with many failures each: a client with an old password repeats itself; find it by its user key.",
    ),
    scenarios=standard(
        share(
            (),
            wrong=counted("auth_login_attempts_total", ("result", "failure")),
            right=counted("auth_login_attempts_total", ("result", "success")),
        )
    ),
    guards=(Guard(LOGIN_FAILURES, "15m", "minimum_login_failures"),),
)

ALERTS = (HTTP_ERRORS, HTTP_PAGE, HTTP_SLOW, EDGE_ERRORS, LOGIN_ERRORS)
