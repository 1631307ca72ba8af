"""Roll-ups: what happens in the platform's tables is counted once, row by row, at a cost that does not depend on their size.

What is counted is declared in `sources/` (a source = a relation, its facts and stocks; `model.py` says what these are).

To read what was counted:

- `analytics.counters(fact, labels text[], n, s1 … s6, h0 … h27)`: how often things happened since counting began, as is
  known now: a correction takes from one cell what it gives to another.
- `analytics.stocks(stock, labels, n)`: how many rows there are now.
- `analytics.minutes`, `analytics.hours`, `analytics.days` `(fact, labels, bucket timestamptz, n, s1 …, h0 …)`: what happened,
  by the time at which it happened (UTC). Several rows a cell and bucket: sum them. The views include what was not folded yet,
  so they are exact at any moment. Filter by `fact` and `bucket`. Minutes are kept for a day, hours and days for longer
  (settings.database.retention).
- `sources.FACTS[fact].labels` gives the order of labels, `.column("duration_us")` the column of a sum, `.bounds` the upper
  bounds (seconds) of `h0 …`, which hold the count of each bucket, not cumulative, and the count beyond the last bound; NULL
  is 0. Sums are whole numbers in base units: microseconds, tokens, stars.
- `analytics.shadows(source, key, image jsonb)`: rows that may still change, as they were counted; open tickets for example.
- Active users: fact `users_last_seen` has each user once, in the bucket of the latest own message; the sum over the buckets
  of a window is the number of users active in it. `users_active_in_week(cohort, week)` counts users of a cohort (week of
  creation) active in a week.
- `users_active_history(window_name, at, n)`: users active in windows that ended at past moments.
- `read.Totals().read(connection)` gives all facts, stocks and amends as plain rows, and reads again only what was counted
  since; `fresh.Fresh(facts)` does so for what is not folded, or takes from `fresh.Latest` what another collector of the process
  has just read; `read.window` sums a tier; `state.states` tells how far each
  source is. `Fact.yields` says which metrics these are, and `exporters.business.counted` makes them: a counter, which never
  falls, is the cells of its facts and the amends of its labels (`Fact.projections`, `sources.AMENDS`).

To count (each inside a transaction under limits, UTC, as `exporters.database.sessions` opens it):

- `forms.forms(connection, mapping)` once a process and after errors; `advance.register(connection, form, mode)` at every
  installation and upgrade, after the column, the index (partial, `WHERE observatory_xid IS NOT NULL`) and
  `triggers.trigger_statements(mapping, source)`: it makes the function that `planned.py` describes; then
  `advance.tell_news(connection, forms)`, which makes the one that says which sources have something new;
- `advance.advance_all(connection, forms)` counts, in one statement, what is new in all sources that have a function; of the
  rest `advance.news(connection, forms)` says which have something new, and `advance.advance(connection, form)` counts one;
- `fold.fold(connection, …)` once a minute moves `analytics.fresh` into the tiers, `active_users.note(connection, now)` notes
  active users in every minute; `backfill.step(connection, form, rows)` counts a chunk of the rows from before the column;
  `retention.step(connection, aged, before)` deletes a few old buckets, or old memories: keys that count once, users.

A way of capture is a class in `capture/` (see `capture.Capture`) that is entered in `advance.CAPTURES`.

Odd values. A time before 1900 or after 2199 (infinity, the year 1) is counted in the totals, and in no bucket of time. A
duration beyond ten years, or that is no number, is unknown; an amount that is negative, no number or beyond 10^15 is 0. So no
row stops the counting of others.

Exactness. Watermark, counts and memory change in one statement under the lock of the source's row. A version of a row that
came and went between two steps was never there. Corrections of a row move what it gave from one cell and bucket to another.
A counter only adds what is new by the labels that it shows: what such a label set loses in a step is added to its amends, so
a row that moves between two of them is counted in both, and one that moves where no label of the metric says so stays one; a
bucket of a histogram counts as a label here. Deletion of a row changes stocks only: what happened, happened. Labels that come
from other tables are those at the time of counting; for rows that were remembered as open they are kept, for a final row that
is corrected they are looked up anew: when the joined row has changed in between, the old bucket keeps one and the new label
gets minus one, until a rebuild.
"""
