"""Checks of expressions: of rules, and of queries, variables and annotations of dashboards, and of runbooks."""

from __future__ import annotations

from provisioning.check.catalogue.model import Check

SELECTORS = (
    Check(
        "promql/syntax",
        "what is not PromQL: `sum(`",
        "Prometheus refuses the whole file",
        "",
        "dashboard-linter target-promql-rule, template-label-promql-rule; pint promql/syntax; promtool check rules",
    ),
    Check(
        "promql/unknown-metric",
        "a metric that nobody exposes: `agent_querys_total`",
        "the answer is empty, and an alert never fires",
        "the name that the contract has, or a metric in the contract",
        "pint promql/series",
    ),
    Check(
        "promql/removed-record",
        "a recorded series that no rule records (any more)",
        "the answer is empty, and an alert never fires",
        "keep the rule, or read another series",
        "pint rule/dependency",
    ),
    Check(
        "promql/unknown-label",
        'a matcher on a label that the metric has not: `up{agnet="x"}`',
        "it matches nothing, or everything",
        "a label that the metric has",
        "pint promql/series",
    ),
    Check(
        "promql/impossible-selector",
        'a value that a closed label never has, and matchers that contradict each other: `{agent="a",agent=~"b.*"}`',
        "it matches nothing",
        "a value of the label",
        "pint promql/impossible",
    ),
    Check(
        "promql/dead-alternative",
        'one word of several that the label never has: `{goal=~"achieved|mised"}`',
        "what it was meant for is missing",
        "a value of the label",
    ),
    Check(
        "promql/plain-regex",
        'a regular expression for one word: `{agent=~"clerk"}`',
        "`=` says the same, and is faster",
        "`=`",
        "pint promql/regexp",
    ),
    Check("promql/useless-anchor", "`^` and `$`", "whole values are matched anyway", "leave them away", "pint promql/regexp"),
    Check(
        "promql/matches-everything",
        '`=~".*"`',
        "it says nothing, and also matches series without the label",
        'leave it away, or `=~".+"`',
        "pint promql/regexp",
    ),
    Check(
        "promql/bare-dot",
        'a point within a word of a regular expression: `{version=~"1.2|1.3"}`',
        "it matches any character, since Prometheus 3 even a new line",
        "`[.]`",
        "pint promql/regexp",
    ),
    Check(
        "promql/bucket-bound",
        'a bound that the histogram has not, or one spelling of a whole number: `{le="5"}`',
        'Prometheus 2 keeps `le="1"`, Prometheus 3 writes `le="1.0"`',
        '`{le=~"5|5[.]0"}`',
    ),
    Check(
        "promql/other-dialect",
        'what only VictoriaMetrics reads: `up{job="a" or job="b"}`',
        "Prometheus refuses it",
        "two selectors joined by `or`",
    ),
)
KINDS = (
    Check(
        "promql/removed-function",
        "a function that Prometheus 3 calls otherwise: `holt_winters(…)`",
        "the file is refused",
        "do without it",
    ),
    Check(
        "promql/experimental",
        "functions, aggregations and `fill` behind a flag: `limitk(…)`",
        "servers run without `--enable-feature`",
        "say it without",
        "pint promql/features",
    ),
    Check(
        "promql/counter-without-rate",
        "a total that is read as it is: `sum(agent_queries_total)`",
        "it falls when a process restarts",
        "`rate` or `increase`",
        "dashboard-linter target-counter-agg-rule; pint promql/counter",
    ),
    Check(
        "promql/rate-of-gauge",
        "`rate`, `irate`, `increase` of what can fall",
        "each fall is taken for a restart",
        "`delta` or `deriv`",
        "pint promql/rate",
    ),
    Check(
        "promql/slope-of-counter",
        "`delta`, `deriv`, `predict_linear` of a total",
        "each restart is taken for a fall",
        "`increase`, or the slope of its rate",
        "pint promql/counter",
    ),
    Check(
        "promql/rate-of-sum",
        "a rate of summed totals: `rate(sum(x_total)[5m:1m])`",
        "one restart looks like traffic of all",
        "`sum(rate(…))`",
        "pint promql/rate",
    ),
    Check(
        "promql/sum-of-replicas",
        "a sum over the replicas of our exporter, which all give the same totals",
        "everything counts twice with two replicas",
        "`sum(max without (instance) (platform_users))`",
    ),
    Check(
        "promql/sum-of-quantiles",
        "a sum or an average of quantiles",
        "it is no quantile of anything",
        "the quantile of summed buckets, or the greatest",
    ),
    Check(
        "promql/average-of-ratios",
        "an average of ratios, over series (error) or over time (warning)",
        "what is quiet weighs as much as what is busy",
        "divide sums",
    ),
    Check(
        "promql/quantile-without-le",
        "`histogram_quantile` of what has lost `le`",
        "the answer is empty",
        "keep `le` in `by`",
        "dashboard-linter target-histogram-rule",
    ),
    Check(
        "promql/nan",
        "a division inside `sum`, `avg`, `stddev` or `stdvar` whose divisor may be 0",
        "one group without traffic makes the whole sum NaN",
        "divide sums, or `… / (total > 0)`",
        "pint promql/nan",
    ),
    Check(
        "promql/recorded",
        "a part of a rule that another rule records as it is (a note)",
        "it is evaluated twice",
        "the recorded series",
        "pint promql/performance",
    ),
    Check(
        "promql/unstable-selection",
        "`topk`, `bottomk`, `limitk`, `limit_ratio` in an alert or a recorded series",
        "other series are chosen each time, so alerts flap and records have holes",
        "a limit instead of a rank",
        "pint promql/fragile, rule/topk",
    ),
)
WINDOWS = (
    Check(
        "promql/rate-window",
        "a window below 2 intervals (error), or below 4 (warning), where two samples are needed: `rate(x_total[20s])`",
        "no answer, or a hole for each lost scrape",
        "4 intervals, or `$__rate_interval`",
        "pint promql/rate",
    ),
    Check(
        "promql/short-window",
        "a window of one interval (warning) or less (error): `max_over_time(x[15s])`",
        "it finds one sample, or none",
        "2 intervals",
    ),
    Check(
        "promql/stale-record",
        "a series that is recorded more rarely than every 4 minutes, read without a window",
        "a sample counts for 5 minutes, so there are holes",
        "`last_over_time(x:y:z[15m])`",
        "pint group/interval",
    ),
    Check(
        "promql/subquery-step",
        "a step shorter than the rule is evaluated, or than there is something new; one point only; more than 11,000 points",
        "work for nothing",
        "the interval of what it reads",
    ),
    Check(
        "promql/retention",
        "windows, subqueries and offsets that together look back further than `sources.prometheus.retention`",
        "half of it is missing",
        "a shorter window, or a longer retention",
        "pint promql/range_query, promql/offset",
    ),
)
MATCHING = (
    Check(
        "promql/grouping-label",
        "`by` or `without` a label that is not there: `sum by (agnet) (…)`",
        "everything falls into one group",
        "a label of what is aggregated",
        "pint promql/impossible",
    ),
    Check(
        "promql/matching-label",
        "`on`, `group_left`, `group_right` with a label that a side has not",
        "nothing is matched, or the label stays empty",
        "a label of both sides",
        "pint promql/vector_matching, promql/impossible",
    ),
    Check(
        "promql/cardinality",
        "several series for one without `group_left`; several on both sides",
        "Prometheus answers with an error as soon as there are two",
        "`group_left`, or aggregate the side with more",
        "pint promql/vector_matching",
    ),
    Check(
        "promql/never-matches",
        "sides with different labels and no `on`; a label with two different values",
        "the answer is always empty",
        "`on (…)`",
        "pint promql/vector_matching, promql/impossible",
    ),
    Check(
        "promql/absent-of-several",
        '`absent` of several things at once: `absent(up{job=~"a|b"})`',
        "it speaks only when all of them are gone",
        "one `absent` each",
    ),
    Check(
        "promql/decided",
        "a comparison that is always, or never, true by what the figure can be: an error ratio `> 1`",
        "the alert can never fire, or always does",
        "a limit within what the figure can be",
        "pint promql/impossible",
    ),
    Check(
        "promql/cost",
        "more than 10,000 scraped series over more than an hour, by the caps of their labels",
        "it is slow, at every evaluation or for every reader",
        "the recorded series that the finding names",
        "pint query/cost",
    ),
)
PROMQL = (*SELECTORS, *KINDS, *WINDOWS, *MATCHING)
