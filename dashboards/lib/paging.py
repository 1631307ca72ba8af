"""Pages of single records: a table asks for one page of them, and the variable `page` says which.

Grafana turns the rows of one answer over by itself; this is for tables of which an answer never holds all.
"""

from __future__ import annotations

from dashboards.lib.variables import SwitchVariable

ROWS = 100
"""How many records an answer holds."""
_PAGES = 50

PAGE = SwitchVariable(
    name="page",
    label="Records",
    values={str(first): f"{first + 1} to {first + ROWS}" for first in range(0, ROWS * _PAGES, ROWS)},
    description="Which of the single records, the newest first. Acts on the tables that say so.",
)
ACTS = f"It holds {ROWS} of them; those before are behind the choice Records."


def one_page(*order: str) -> str:
    """ORDER BY, LIMIT and OFFSET of the chosen page. The order has to be whole, or records would be on two pages or none."""
    return f"ORDER BY {', '.join(order)}\nLIMIT {ROWS} OFFSET (${{page:sqlstring}})::int"
