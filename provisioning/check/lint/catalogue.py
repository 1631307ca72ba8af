"""Every check of expressions and of rules. `provisioning.check.catalogue` says of each what it finds and why."""

from __future__ import annotations

from typing import Any

import promql_parser as promql

from provisioning.check.lint import (
    cost,
    functions,
    kinds,
    limits,
    matching,
    names,
    ranges,
    records,
    selectors,
    stability,
    templates,
    timing,
)
from provisioning.check.lint.model import ExpressionCheck, RuleCheck

SYNTAX, REMOVED_FUNCTION = "promql/syntax", "promql/removed-function"
"""What is found while an expression is read."""

EXPRESSION_CHECKS: tuple[ExpressionCheck[Any], ...] = (
    ExpressionCheck("promql/unknown-metric", promql.VectorSelector, selectors.unknown_metric),
    ExpressionCheck("promql/removed-record", promql.VectorSelector, selectors.removed_record),
    ExpressionCheck("promql/unknown-label", promql.VectorSelector, selectors.unknown_label),
    ExpressionCheck("promql/impossible-selector", promql.VectorSelector, selectors.impossible),
    ExpressionCheck("promql/dead-alternative", promql.VectorSelector, selectors.dead_alternative),
    ExpressionCheck("promql/plain-regex", promql.VectorSelector, selectors.plain_regex),
    ExpressionCheck("promql/useless-anchor", promql.VectorSelector, selectors.useless_anchor),
    ExpressionCheck("promql/matches-everything", promql.VectorSelector, selectors.matches_everything),
    ExpressionCheck("promql/bare-dot", promql.VectorSelector, selectors.bare_dot),
    ExpressionCheck("promql/bucket-bound", promql.VectorSelector, selectors.bucket_bound),
    ExpressionCheck("promql/other-dialect", promql.VectorSelector, functions.other_dialect),
    ExpressionCheck("promql/experimental", promql.Call, functions.experimental_call),
    ExpressionCheck("promql/experimental", promql.AggregateExpr, functions.experimental_aggregation),
    ExpressionCheck("promql/experimental", promql.BinaryExpr, functions.experimental_fill),
    ExpressionCheck("promql/counter-without-rate", promql.VectorSelector, kinds.counter_without_rate),
    ExpressionCheck("promql/rate-of-gauge", promql.MatrixSelector, kinds.rate_of_gauge),
    ExpressionCheck("promql/slope-of-counter", promql.MatrixSelector, kinds.slope_of_counter),
    ExpressionCheck("promql/rate-of-sum", promql.Expr, kinds.rate_of_sum),
    ExpressionCheck("promql/sum-of-replicas", promql.VectorSelector, kinds.sum_of_replicas),
    ExpressionCheck("promql/sum-of-quantiles", promql.AggregateExpr, kinds.sum_of_quantiles),
    ExpressionCheck("promql/average-of-ratios", promql.Expr, kinds.average_of_ratios),
    ExpressionCheck("promql/quantile-without-le", promql.Call, kinds.quantile_without_buckets),
    ExpressionCheck("promql/nan", promql.AggregateExpr, stability.nan_in_sum),
    ExpressionCheck("promql/unstable-selection", promql.AggregateExpr, stability.unstable_selection),
    ExpressionCheck("promql/rate-window", promql.MatrixSelector, ranges.rate_window),
    ExpressionCheck("promql/short-window", promql.MatrixSelector, ranges.short_window),
    ExpressionCheck("promql/stale-record", promql.VectorSelector, ranges.stale_record),
    ExpressionCheck("promql/subquery-step", promql.SubqueryExpr, ranges.subquery_step),
    ExpressionCheck("promql/retention", promql.VectorSelector, ranges.retention),
    ExpressionCheck("promql/grouping-label", promql.AggregateExpr, matching.grouping_label),
    ExpressionCheck("promql/matching-label", promql.BinaryExpr, matching.matching_label),
    ExpressionCheck("promql/cardinality", promql.BinaryExpr, matching.cardinality),
    ExpressionCheck("promql/never-matches", promql.BinaryExpr, matching.never_matches),
    ExpressionCheck("promql/absent-of-several", promql.Call, matching.absent_of_several),
    ExpressionCheck("promql/decided", promql.BinaryExpr, limits.decided),
    ExpressionCheck("promql/cost", promql.VectorSelector, cost.raw_series),
)

RULE_CHECKS = (
    RuleCheck("rules/group-name", records.group_name),
    RuleCheck("rules/group-size", records.group_size),
    RuleCheck("rules/interval", names.interval),
    RuleCheck("rules/record-name", names.record_name),
    RuleCheck("rules/external-label", names.external_label),
    RuleCheck("promql/recorded", stability.recorded_part),
    RuleCheck("rules/same-name", records.same_name),
    RuleCheck("rules/same-expression", records.same_expression),
    RuleCheck("rules/unused", records.unused),
    RuleCheck("rules/kept-for-nothing", records.kept_for_nothing),
    RuleCheck("rules/order", timing.order),
    RuleCheck("rules/delay", timing.delay),
    RuleCheck("alerts/name", names.alert_name),
    RuleCheck("alerts/severity", names.severity),
    RuleCheck("alerts/summary", names.summary),
    RuleCheck("alerts/description", names.description),
    RuleCheck("alerts/hold", timing.holds),
    RuleCheck("alerts/absent-hold", timing.absent_hold),
    RuleCheck("alerts/partial-start", timing.partial_start),
    RuleCheck("alerts/annotation", templates.missing_annotation),
    RuleCheck("alerts/team", templates.team),
    RuleCheck("alerts/template-label", templates.labels_survive),
    RuleCheck("alerts/template-function", templates.functions),
    RuleCheck("alerts/value-in-label", templates.value_in_label),
    RuleCheck("alerts/raw-value", templates.raw_value),
    RuleCheck("alerts/value-unit", templates.units),
    RuleCheck("alerts/empty-value", templates.empty_value),
    RuleCheck("alerts/no-condition", templates.no_condition),
)
