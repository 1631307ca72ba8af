"""`docs/checks.md`: every check with what it finds, why, and what would be right.

`python -m provisioning.check.page` prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from provisioning.check import catalogue
from provisioning.check.catalogue import Check
from provisioning.check.limits import LIMITS

_HEAD = """\
# `observatory check`

Written by `make docs` from the list of checks itself.

`observatory check` builds everything in memory and proves it without any server. It ends with exit code 1 when there is an
error, with 2 when the configuration or an option is wrong, and with 3 when the database of `--database` does not answer. Each
finding says how bad it is, where it stands, what is wrong, what would be right, and which check found it:

    error: alert AgentErrorRatioHigh: by (agnet): there is no such label on what is aggregated [promql/grouping-label]
        did you mean agent?

- **error**: it is broken, or will mislead somebody. The check fails.
- **warning**: it works, and somebody will regret it.
- **note**: worth knowing, and nothing to do; a finding that is waived is a note, too.

## Options

| Option | What it does |
|---|---|
| `--format text` | for people; the default |
| `--format json` | `severity`, `place`, `message`, `remedy`, `check`, `file` and `line` of every finding. The names stay |
| `--format sarif` | SARIF 2.1.0, for code scanning. Equal findings have equal fingerprints, wherever they move |
| `--format github` | annotations of GitHub Actions, beside the lines of a pull request |
| `--changed-since REV` | only what is new since a revision; how much more there is, is said in one line |
| `--scenarios changed` | promtool proves the scenarios that have not passed as they are; the default |
| `--scenarios all`, `--scenarios none` | every scenario anew; none, and the report says so |
| `--database` | the live database prepares and plans every query, with the login of the panels; it runs none |

Findings on the configuration lead to their line in it. Findings on panels, alerts and rules lead to the line of the module
that gives them their name; where that is not one line, to the module.

**What is new.** The code of the other revision builds, in a folder of its own, with its own configuration; the commit needs
no built files in it. A finding is new when it stands in a panel, rule or page that is built otherwise now, or when today's
checks do not find it in what was built then: a panel that a removed rule has broken is reported, though the panel has not
changed. What is not found in built files (settings, the exporter, tools) is always reported.

**Scenarios.** promtool takes about a minute and a half of processor time to prove the stories of all alerts. What has passed
is remembered in `var/proofs`, by the content of the test, of the rules that it reads, and the version of promtool; so a
second check takes seconds, and a CI that keeps the folder proves what a change touches. What failed is never remembered.
`make test` proves all that is not remembered, too.

`promtool` and `amtool` are taken from `OBSERVATORY_PROMTOOL` and `OBSERVATORY_AMTOOL` (paths), else from `make tools`, else
from PATH. Name a promtool of Prometheus 3 to hold the rules against that; no flag is needed.

## Waivers

A finding that is known and left for a while is waived in `observatory.yaml`:

```yaml
waivers:
  - check: rules/unused
    target: recording rule agent:queries:rate5m    # the place, or the part of it before a comma
    owner: agents                                  # one of the teams
    reason: the report of the quarter reads it
    expires: 2027-01-31                            # the last day, UTC
```
"""
_QUESTIONS = """\
These hold for every rule, and for every query, variable and annotation of every dashboard. What a reader chooses through a
variable may be anything and is not held against the query. Series that rules record are looked through: a recorded ratio is
known as one."""
_WINDOWS = """\
Windows are open on the left since Prometheus 3: one of exactly n intervals holds n samples. A recorded series has a sample as
often as its group is evaluated."""
_COST = """\
The number of series is the product of how many values each label may take (contract/labels.py), for one target, with the
configured environments and four versions of each agent; a label with an `=` matcher counts once."""
_SQL = """\
SQL is read without a database as far as quotes, brackets, the order of clauses, relations and qualified columns go.
PostgreSQL itself knows better: `--database`, and `observatory doctor`."""
_OTHERS = """\
## Beside other linters

Every offline rule of dashboard-linter, mixtool, promtool and pint has a check here, by the table below. Not taken over: rules
about LogQL (queries of other data sources than Prometheus and PostgreSQL are refused as a whole), references in v2 dashboards,
names of data source variables, and rules that do nothing until somebody configures a pattern (pint's `promql/selector`,
`promql/aggregate`, `rule/reject`, `rule/report`; dashboard-linter's required matchers and variables)."""


def page() -> str:
    """The whole page in Markdown."""
    parts = [
        _HEAD,
        _of(catalogue.WAIVERS),
        *_section("## Questions (`promql/…`)", _QUESTIONS, ()),
        *_section("### Selectors", "", catalogue.SELECTORS),
        *_section("### Functions and kinds", "", catalogue.KINDS),
        *_section("### Windows", _WINDOWS, catalogue.WINDOWS),
        *_section("### Labels and operators", "", catalogue.MATCHING),
        f"{_COST}\n",
        *_section("## Rules (`rules/…`)", "", catalogue.RULES),
        *_section("## Alerts (`alerts/…`)", "", catalogue.ALERTS),
        *_section("## Dashboards (`dashboards/…`)", "", catalogue.DASHBOARDS),
        *_section("## SQL (`sql/…`) and runbooks", _SQL, catalogue.SQL),
        *_section("## How the parts fit together", "", catalogue.TOGETHER),
        *_section("## Mixins of others (`mixins/…`)", "", catalogue.MIXINS),
        *_section("## Tools (`tools/…`)", "", catalogue.TOOLS),
        "## What targets take at most\n",
        _table(("Target", "What", "At most", "Why", "What to do"), _limits()),
        f"{_OTHERS}\n",
        _table(("Rule", "Check"), _others()),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _section(title: str, text: str, checks: tuple[Check, ...]) -> list[str]:
    return [f"{title}\n", *([f"{text}\n"] if text else []), *([_of(checks)] if checks else [])]


def _of(checks: Iterable[Check]) -> str:
    rows = [(f"`{check.name}`", check.finds, check.why, check.remedy) for check in checks]
    return _table(("Check", "Finds", "Why", "What would be right"), rows)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _limits() -> Iterator[tuple[str, ...]]:
    for limit in LIMITS:
        worse = "" if limit.severity == "error" else f" (a {limit.severity})"
        yield limit.target, limit.what, f"{limit.most:,} {limit.unit}{worse}", limit.why, limit.remedy


def _others() -> Iterator[tuple[str, str]]:
    """Rules of other linters in their order, with the checks that find the same."""
    found: dict[str, list[str]] = {}
    for check in catalogue.CHECKS.values():
        for source in filter(None, check.like.split("; ")):
            linter, _, rules = source.partition(" ")
            for rule in rules.split(", "):
                found.setdefault(f"{linter.rstrip(':')} {rule}", []).append(f"`{check.name}`")
    for rule, checks in sorted(found.items()):
        yield rule, ", ".join(checks)


if __name__ == "__main__":
    print(page(), end="")
