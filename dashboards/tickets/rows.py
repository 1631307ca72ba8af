"""Pieces that the SQL of this tab shares. Every query calls the tickets `t`."""

from __future__ import annotations

from contract.definitions import TICKET_OPEN_STATUSES
from contract.signals.model import like
from dashboards.lib.filters import chosen

OPEN = f"t.status IN ({', '.join(f'{chr(39)}{status}{chr(39)}' for status in TICKET_OPEN_STATUSES)})"
PRIORITY = chosen("t.priority", "priority")
"""The priorities that the reader has chosen."""
OF_PRIORITY = (like("priority", "$priority"),)
"""The same for signals."""
NOT_COUNTED = "not counted yet"

SPANS = """
  SELECT 'this range' AS span, $__timeFrom()::timestamptz AS since, $__timeTo()::timestamptz AS until
  UNION ALL
  SELECT 'range before', $__timeFrom()::timestamptz - ($__timeTo()::timestamptz - $__timeFrom()::timestamptz),
         $__timeFrom()::timestamptz
""".strip("\n")
"""The chosen range, and the time of equal length before it."""

PROMISES = f"""
  SELECT 'first response' AS kind, t.first_response_at AS served, t.sla_first_response_due_at AS due, {OPEN} AS is_open
  FROM analytics.tickets t WHERE {PRIORITY}
  UNION ALL
  SELECT 'resolution', t.resolved_at, t.sla_resolution_due_at, {OPEN}
  FROM analytics.tickets t WHERE {PRIORITY}
""".strip("\n")
"""What was promised for each ticket, when it is due, and when it was kept."""
