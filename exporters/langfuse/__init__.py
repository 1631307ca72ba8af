"""Model calls from Langfuse: every call once in a ledger, or figures of windows where no ledger may be written.

Asking
- `transport`       one request: deadlines, repeated attempts, what a refusal means
- `client`          the endpoints as questions, in whichever version the server has them
- `request_budget`  what a plan allows; `interface` tells it as metrics
- `aggregates`      questions to Langfuse's own sums, and what their rows become

The ledger
- `calls`, `usage`, `prices`  a row of Langfuse as a call or a score, without any text
- `reading`, `following`      what is read next, so that no late row is missed and the present comes before the past
- `attribution`               agent and conversation of a call, from the platform's own table
- `counting`, `totals`        what a new or changed row does to counters and roll-ups
- `storage`, `ledger`         a page, its counts and the place in the list in one transaction
- `figures`                   counters and windows, read from the counts; `reconciliation` holds them against Langfuse

Collectors
- `ledger_collector`, `cost`  with a ledger
- `windows`                   without one
- `spending`, `month_end`     budgets and forecasts, in both
- `collectors`                which of them run
"""
