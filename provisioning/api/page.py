"""docs/api.md, written from the catalogue: `python -m provisioning.api.page` prints it."""

from __future__ import annotations

from collections.abc import Iterator

from api.catalogue.endpoints import ENDPOINTS, Role
from api.catalogue.model import AS_IT_STANDS, FROM_LEDGER, FROM_PLATFORM, Query
from api.catalogue.subjects import SUBJECTS

_HEAD = f"""# The query API

`observatory api` answers what dashboards show as JSON and CSV: read-only, by the same definitions, for programs. This page is
written by `make docs` from the catalogue; `/openapi.json` says the same for programs.

## Start

1. Let logins of the database be members of the roles that `observatory db install` makes (`database.logins`), and save a
   connection string for each kind of caller that shall be served. `observatory.yaml`, section `api`, says where:

   ```yaml
   api:
     tokens_file: secrets/api_tokens
     dsn_files: {{admin: secrets/api_admin_dsn, business: secrets/api_business_dsn, self_service: secrets/api_self_dsn}}
   ```
2. Make a token; it is printed once, and the file keeps its digest: `observatory api token create reporting --role business`.
   A person who shall see the own rows gets `--role self --user-id ID` (or `--user-key KEY`). `token list` and `token remove`
   do what they say; a token that was removed is unknown from the next request on.
3. `observatory api` serves on `127.0.0.1:9465`. Let a proxy with TLS stand before it; it needs no more rights than its logins
   have.

```
curl -H "Authorization: Bearer $TOKEN" 'http://127.0.0.1:9465/api/analytics/costs?days=30'
curl -H "Authorization: Bearer $TOKEN" 'http://127.0.0.1:9465/api/analytics/export?query=costs.models&start_date=2026-01-01'
```

A named query is answered without the service, too: `observatory api ask costs.models --days 30 --format csv`; without a name
it lists them.

## What every address has in common

**Roles.** `admin` sees everything, single rows and keys of users too; `business` the figures of all; `self` the own rows, and
nothing else: the login behind it may read only the views `own_…`, which hold the rows of the user whom the transaction names.

**Range.** `start_date` and `end_date` are ISO dates or times (UTC unless they say otherwise; a date as end means the whole
day), or `days` back from the end; without any of them the last 7 days. Roll-ups count by UTC day: a range means the days that
it touches.

**Filters.** Any label that is listed; repeat it for several values. Each part says in `filters` which of them acted on it.
What is no parameter of the address is refused, so that a misspelt filter lets nothing through.

**Parts and pages.** An answer has parts, each a named query: `columns` with kind, unit and words beside `rows`, `more` when
there is a next page (`page`, `page_size` up to 1000), and `since`/`until`, or `as_of` for what does not depend on the range.
`part` asks for one of them; with `format=csv`, or `Accept: text/csv`, it comes whole, without pages, as a table (UTF-8,
RFC 4180, a heading, nothing for null; a text that a spreadsheet would take for a formula has an apostrophe before it).

**How old.** Counts of the platform are kept for {FROM_PLATFORM} s, figures of model calls for {FROM_LEDGER} s, single rows
for {AS_IT_STANDS} s, series of Prometheus not at all. `Cache-Control` says for how long an answer still holds, and a request
with `If-None-Match` gets 304 while nothing has changed.

**Errors** are problem details (`application/problem+json`): 400 says which parameter is wrong and what would be right, 401
and 403 who may ask, 429 and 503 with `Retry-After` when to come again, 504 that less has to be asked for. `api.limits` bounds
requests of a token, queries at a time, their time, rows, streams and connections; of queries at a time, of those that wait,
and of streams, one caller takes at most two thirds.

**Live.** `/api/analytics/live` answers what goes on now; with `Accept: text/event-stream` it stays and sends an event `live`
for each change, as the WebSocket `/api/analytics/stream` does. The exporter says once for each of its commits that it has
counted (`NOTIFY observatory_advanced`); without it figures come every five seconds. How soon a row is seen depends on how
often the exporter counts: `exporter.intervals.rollups`. With `grafana_live` the figures also go to the channel
`stream/observatory/live` of Grafana, by the token in OBSERVATORY_GRAFANA_TOKEN or `sources.grafana.token_file` (any role may
push), and the tab Overview has a row "At this moment" that follows them.

**Viewers.** With `viewers` Grafana is asked every five minutes which of its accounts were there (the token needs the role
Admin), and `/metrics` says how many within a day and a week; Prometheus scrapes it as the job `api`, and the tab Observatory
shows it. That counts who was in Grafana at all; what they opened Grafana tells of itself by an extension only. Its log tells it
too, with `router_logging = true` below `[server]` and the format `text`: where this process may read that file, name it as
`viewers_log`, and `/metrics` says how many looked at each tab. The log of today is read from its beginning, and then as it
grows. Neither names nor numbers of accounts are told.

**Further addresses.** `/api/analytics/catalogue` lists what the caller can ask, `/api/analytics/health` how the sources are,
`/api/analytics/dashboard` where people see the same, `/api/analytics/export` any named query whole, `/api/analytics/query`
free questions, `/api/v1/analytics/metrics/{{metric_name}}` the recorded
series that the catalogue lists, and no PromQL. Three need no token and count towards no rate: `/healthz` says whether the
process lives, `/metrics` how many were in Grafana, and `/openapi.json` what can be asked, with the names of all recorded
series; where those are nobody's business, let the proxy keep them to itself.
"""


def _query(query: Query, whose: str) -> Iterator[str]:
    filters = f"; filters {', '.join(f'`{name}`' for name in sorted(query.filters))}" if query.filters else ""
    yield f"- **`{query.key}`**{whose}: {query.words}{filters}; at most {query.ttl} s old"
    for column in query.columns:
        unit = f", {column.unit}" if column.unit else ""
        yield f"  - `{column.name}` ({column.kind}{unit}): {column.words}"


def page() -> str:
    """The whole page."""
    lines = [_HEAD, "## Addresses of the catalogue", ""]
    shown: set[str] = set()
    for endpoint in ENDPOINTS:
        roles = ", ".join(role for role in Role if endpoint.of(role))
        lines += [f"### GET {endpoint.path}", "", f"{endpoint.summary}. For {roles}.", ""]
        for query in endpoint.every:
            whose = "" if query in endpoint.queries else ", own rows" if query in endpoint.own else ", administrators"
            if query.key in shown:
                lines.append(f"- `{query.key}`{whose}: see above")
            else:
                lines += _query(query, whose)
            shown.add(query.key)
        lines.append("")
    lines += [
        "## Free questions",
        "",
        "`POST /api/analytics/query` with JSON: `subject`, `measures`, and, if wanted, `by` (labels, and one width of time),",
        "`where` (labels with lists of values), `order` (columns, `-` for descending), the range and the page. For admin and",
        "business.",
        "",
        "```",
        '{"subject": "models", "measures": ["calls", "cost_usd"], "by": ["model"], "order": ["-cost_usd"], "days": 30}',
        "```",
        "",
    ]
    for subject in SUBJECTS.values():
        by, measures = (", ".join(f"`{name}`" for name in names) for names in (subject.dimensions, subject.measures))
        lines += [f"- **`{subject.name}`**: {subject.words}", f"  - by {by}", f"  - measures {measures}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
