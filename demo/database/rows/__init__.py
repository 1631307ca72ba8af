"""The world as rows, as they stand at a moment: the only place that knows how life is written down.

A row is a line of PostgreSQL's COPY text format, its columns in the order of `contract.relations`. What differs between the
lines of two moments is what has to be written between them, so the bulk load and the live database cannot disagree.
"""
