"""Checks of dashboards, queries of databases, and of how the parts fit together."""

from __future__ import annotations

from provisioning.check.catalogue.model import Check

DASHBOARDS = (
    Check(
        "dashboards/uid",
        "the same uid twice, or one that Grafana does not take",
        "one overwrites the other, or it is refused",
        "a key of its own, of at most 40 letters, digits, - and _",
        "mixtool: dashboards need a uid",
    ),
    Check("dashboards/panel-id", "two panels with one id", "links lead to the wrong one", "rename one of them"),
    Check("dashboards/query-letter", "two queries of a panel with one letter", "one of them is not drawn", "a refId for each"),
    Check(
        "dashboards/schema",
        "a key of a dashboard or panel that Grafana does not read, one that is missing, and a value of another kind; an old "
        "`schemaVersion`; a type of panel that Grafana has removed",
        "what it should do is silently not done",
        "what today's Grafana writes",
        "dashboard-linter v2-required-fields-rule",
    ),
    Check(
        "dashboards/place", "panels without a place, beyond 24 columns, or upon each other", "they cover each other", "gridPos"
    ),
    Check(
        "dashboards/data-source",
        "a data source without type and uid, or one that there is not",
        "the panel is empty",
        "`{type, uid}` of a configured one",
        "dashboard-linter panel-datasource-rule",
    ),
    Check(
        "dashboards/fixed-source",
        "a panel, variable or annotation that names a data source by its uid, on a dashboard that lets its reader choose one",
        "it goes on showing the one when the reader has chosen the other",
        "the variable",
        "dashboard-linter template-datasource-rule, panel-datasource-rule",
    ),
    Check(
        "dashboards/variable", "variables in titles and repeats that are not defined", "the reader sees `$agnet`", "define it"
    ),
    Check(
        "dashboards/unused-variable",
        "a variable that no query, title, link or other variable names",
        "a reader chooses, and nothing happens",
        "remove it, or follow it",
        "dashboard-linter template-unused-rule",
    ),
    Check(
        "dashboards/reload",
        "a query variable of Prometheus or PostgreSQL that is never asked again",
        "new agents are missing until somebody reloads the page",
        "refresh on load, or when the time range changes",
        "dashboard-linter template-on-time-change-reload-rule",
    ),
    Check(
        "dashboards/filter",
        "a panel none of whose queries follows the dashboard's environment, though all that they read has that label",
        "staging is shown as production",
        '`environment=~"$environment"`',
        "dashboard-linter template-job-rule, template-instance-rule, target-job-rule, target-instance-rule",
    ),
    Check(
        "dashboards/described",
        "a dashboard or panel without a title or description (texts need no title)",
        "nobody knows what the figure means",
        "write it",
        "dashboard-linter panel-title-description-rule; mixtool: dashboards need a title",
    ),
    Check(
        "dashboards/unit",
        "a panel of numbers without a unit, units that Grafana has not, and a unit that is not that of the figures",
        "1000 may be milliseconds or dollars",
        "a unit of Grafana, `none` for a plain number",
        "dashboard-linter panel-units-rule",
    ),
    Check(
        "dashboards/raw-name",
        "a legend or a heading such as `p95_before`, and a legend by a label of which the contract lists values such as "
        "`first_response`; what others named, tables and tools, may be called as they like",
        "readers guess",
        "words that people say; panels of the vocabulary put them in the place of such values",
    ),
    Check(
        "dashboards/no-query",
        "a panel of a type that draws data, without a query",
        "it is empty for good",
        "a query, or another type",
        "dashboard-linter panel-no-targets-rule",
    ),
    Check(
        "dashboards/rate-interval",
        "a graph of a rate over a window shorter than one point stands for at the dashboard's own time range",
        "what happens between two points is in none of them",
        "`$__rate_interval`, or a longer window",
        "dashboard-linter target-rate-interval-rule",
    ),
    Check(
        "dashboards/refresh",
        "a dashboard that asks more often than there is something new, or starts with no time range",
        "load for nothing",
        "the scrape interval or more",
        "dashboard-linter dashboard refresh and time rules",
    ),
    Check(
        "dashboards/load",
        "a dashboard whose open rows would read more than 100,000 series or 50,000,000 samples of Prometheus when it opens, "
        "with every label at its cap",
        "it opens slowly just when many look at it",
        "fold the row, ask less often, or record the signal",
    ),
    Check(
        "dashboards/editable",
        "a dashboard that can be saved in the browser, where what is saved is overwritten by the next build",
        "somebody's work is lost",
        "`allowUiUpdates: false`, or `editable: false`",
        "dashboard-linter uneditable-dashboard",
    ),
    Check(
        "dashboards/query",
        "variables in queries that are not defined; a data source whose queries cannot be proved; SQL that asks for what the "
        "contract has not, or changes something",
        "the panel shows an error",
        "what the contract has",
        "dashboard-linter target-logql-rule: queries of other data sources are refused",
    ),
)
SQL = (
    Check(
        "sql/syntax",
        "SQL whose brackets or quotes do not match, or with clauses in another order than SQL has",
        "PostgreSQL refuses it",
    ),
    Check("sql/column", "a column that the relation behind its alias has not", "PostgreSQL refuses it", "a column of it"),
    Check(
        "sql/per-row",
        "a sub-select in an expression that names a row of the query around it, unless it is EXISTS, IN or ANY of a condition",
        "it is asked anew for each row, of which there may be many",
        "a join; CROSS JOIN LATERAL, where only a few rows ask",
    ),
    Check(
        "sql/refused",
        "what the database refuses to prepare or to plan for this login (with `--database`)",
        "the panel shows an error",
        "a right, a migration, or other SQL",
    ),
    Check(
        "runbooks/query",
        "SQL of runbooks that asks for tables beyond the contract; their PromQL is held against all of `promql/…`",
        "whoever is woken at night copies it",
        "what the contract has",
    ),
)
TOGETHER = (
    Check(
        "links/nowhere",
        "links to dashboards, panels, variables and runbooks that are not built",
        "they lead nowhere",
        "",
        "pint rule/link",
    ),
    Check(
        "routes/nowhere",
        "receivers, matchers, routes and templates of Alertmanager that lead nowhere, or are never reached",
        "nobody is told",
    ),
    Check(
        "exporter/metrics",
        "metrics of the contract that the exporter does not give, and the other way round",
        "the panel is empty",
    ),
    Check("settings/configured", "settings that are right alone and wrong together", "what is meant does not happen"),
    Check(
        "settings/scrape-interval",
        "a scrape interval above 5 minutes",
        "a sample counts for 5 minutes, so graphs and alerts have holes",
        "2 minutes or less",
        "promtool check config --lint=too-long-scrape-interval",
    ),
    Check("targets/too-large", "what is larger than its target takes", "it is refused when it is applied"),
    Check("targets/name", "a name that its target does not take", "it is refused when it is applied"),
)
MIXINS = (
    Check(
        "mixins/dashboard",
        "a dashboard of a mixin whose uid Grafana does not take, or another has, or that is of before Grafana 5",
        "it is refused, or overwrites another",
        "`_config` of the mixin, or a newer one",
    ),
    Check(
        "mixins/alert",
        "an alert of a mixin without severity, or without a text",
        "no route takes it for what it is, and who is told reads nothing",
        "`_config` of the mixin",
    ),
    Check(
        "mixins/lint",
        "what the checks of dashboards say of a mixin's: one warning for each dashboard and check",
        "it is others' code, so nothing of it fails",
        "what the check named says",
    ),
)
TOOLS = (
    Check(
        "tools/promtool",
        "what promtool refuses: `check config` with all its lint, and the scenarios of all alerts with `test rules`",
        "Prometheus would not start, or an alert does not do what its scenarios say",
    ),
    Check(
        "tools/metrics",
        "names of the exporter's metrics that `promtool check metrics` objects to",
        "others expect names of one form",
        "base units, `_total` for counters only",
        "promtool check metrics",
    ),
    Check("tools/amtool", "what `amtool check-config` refuses", "Alertmanager would not start"),
    Check("tools/too-old", "`keep_firing_for` with a Prometheus before 2.42", "it refuses the whole file", "a newer one"),
)
WAIVERS = (
    Check(
        "waivers/expired",
        "a waiver whose day has passed: an error, beside the finding itself, which counts again",
        "what was to be mended was not",
        "mend it, or decide anew",
    ),
    Check(
        "waivers/without-finding",
        "a waiver of what is not found there (any more)",
        "it would hide the next one",
        "remove it, or correct its target",
    ),
    Check("waivers/unknown-check", "a waiver of a check that there is not", "it does nothing", "a name of this page"),
)
