"""Checks of rules and alerts."""

from __future__ import annotations

from provisioning.check.catalogue.model import Check

RULES = (
    Check(
        "rules/group-name",
        "two groups of one name",
        "Prometheus refuses the file",
        "a name for each",
        "promtool check rules",
    ),
    Check("rules/group-size", "more than 20 rules in a group", "they are evaluated one after another", "split it"),
    Check(
        "rules/interval",
        "a group that is evaluated more rarely than every 5 minutes, with alerts that do not keep firing as long",
        "a sample counts for 5 minutes: records have holes, and alerts end and begin anew",
        "5 minutes or less, or `keep_firing_for`",
        "pint group/interval",
    ),
    Check(
        "rules/record-name",
        "a recorded series that is not called `level:metric:operation`, with a second and third part of its own",
        "a reader takes it for a scraped one",
        "name what it is grouped by, what it is, and what was done",
        "pint rule/name",
    ),
    Check(
        "rules/same-name",
        "two rules of one name and the same labels",
        "both write the same series",
        "rename one of them",
        "promtool check rules --lint=duplicate-rules; pint rule/duplicate",
    ),
    Check("rules/same-expression", "one question under two names", "it is evaluated twice", "keep one", "pint rule/duplicate"),
    Check(
        "rules/unused",
        "a recorded series that no rule, alert, dashboard or runbook reads",
        "it costs, and nobody sees it",
        "remove it, or name it in recording_rules/kept.py, where those stand that people read by hand",
    ),
    Check(
        "rules/kept-for-nothing",
        "a name in recording_rules/kept.py that no rule records",
        "the list is wrong",
        "correct the list",
    ),
    Check(
        "rules/order",
        "a rule that reads what its group records after it",
        "it gets the value of the time before",
        "put the other first",
    ),
    Check(
        "rules/delay",
        "an alert that reads what is recorded more rarely than the alert is evaluated (a note), or a page that rests on what "
        "may be older than 45 s, and than it holds (a warning)",
        "each step to another group adds its interval",
        "a shorter interval there",
    ),
    Check(
        "rules/external-label",
        "a rule that sets a label which the server adds to everything it sends (`external_labels`)",
        "the same label says two things in two places",
        "another name for the label",
        "pint labels/conflict",
    ),
)
ALERTS = (
    Check(
        "alerts/panel",
        "an alert without its panel, or whose threshold the panel does not draw",
        "the link leads nowhere, or shows another limit",
        "the key of a panel that draws the threshold",
    ),
    Check(
        "alerts/name",
        "a name that is not in CamelCase, or longer than 40 characters",
        "people find alerts by names of one form; long ones are cut where they are shown",
        "AgentErrorRatioHigh",
        "mixtool alert-name-camelcase; pint rule/name",
    ),
    Check(
        "alerts/severity",
        "a severity that is none of critical, warning and info",
        "no route takes it for what it is",
        "critical, warning or info",
        "mixtool alert-severity-rule; pint rule/label",
    ),
    Check(
        "alerts/summary",
        "a summary that is no sentence, or that has a value in it",
        "it stands alone in a list of many alerts, and groups have one",
        "a sentence with a capital and a full stop; values belong into the description",
        "mixtool alert-summary-style",
    ),
    Check(
        "alerts/description",
        "a description without any value or label, of an alert that has some",
        "it does not say which one it is, and how bad",
        "`{{ $labels.agent }}`, `{{ $value }}`",
        "mixtool alert-description-templating",
    ),
    Check(
        "alerts/hold",
        "`for` or `keep_firing_for` shorter than the interval of the group, or no multiple of it",
        "it takes longer than it says",
        "a multiple of the interval",
        "pint alerts/for, rule/for",
    ),
    Check(
        "alerts/absent-hold",
        "`absent()` in an alert that holds for less than two scrapes",
        "it fires whenever the server starts, before the first scrape",
        "`for:` two scrape intervals or more",
        "pint alerts/absent",
    ),
    Check(
        "alerts/partial-start",
        "an alert without a hold that holds figures of one source against those of another",
        "when the server starts, one is scraped before the other",
        "`for:` a scrape interval or more",
        "pint promql/fragile",
    ),
    Check(
        "alerts/annotation",
        "no summary, description, runbook or dashboard",
        "the person who is told needs it",
        "write it",
        "mixtool alert-summary-missing-rule, alert-description-missing-rule; pint alerts/annotation",
    ),
    Check(
        "alerts/team",
        "no owner, or one that is not among the teams",
        "nobody is told",
        "one of the teams",
        "pint rule/owner, rule/label",
    ),
    Check(
        "alerts/template-label",
        "a label in a text that the expression has not on every series; `absent()` keeps those of `=` matchers only; "
        "`$externalLabels` that the server has not",
        "the text has a gap",
        "a label that survives",
        "pint alerts/template, alerts/external_labels",
    ),
    Check(
        "alerts/template-function",
        "functions that templates have not, and braces that do not match",
        "the text is an error message",
        "",
        "pint alerts/template; promtool check rules",
    ),
    Check(
        "alerts/value-in-label",
        "`$value` in a label",
        "every new value is a new alert, which begins to hold anew and never fires",
        "put it into an annotation",
        "pint alerts/template",
    ),
    Check(
        "alerts/value-unit",
        '`humanizePercentage` of seconds, "USD" after a ratio, a percentage of a percentage',
        "the number is wrong",
        "the function for the unit",
    ),
    Check(
        "alerts/raw-value",
        "`$value` of a rate, as it is",
        "nobody reads 0.016666666666666666",
        "`{{ $value | humanize }}`",
        "pint alerts/template",
    ),
    Check(
        "alerts/empty-value",
        "a comparison with `bool` (always fires); `$value` of `absent()` (always 1)",
        "the value says nothing",
        "leave `bool` away; say since when",
    ),
    Check(
        "alerts/no-condition",
        "an alert that compares nothing",
        "it fires as long as there are series",
        "`… > limit`",
        "pint alerts/comparison",
    ),
)
