"""Named queries: what can be asked, with columns, units, filters, and how old an answer may be."""
