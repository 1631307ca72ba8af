"""What the exporter says about the platform's business, from PostgreSQL.

With a connection that may write schema `analytics`: `rollups` counts new rows and publishes the totals, `postgres` reads the
figures of windows from the roll-ups, `tables` looks at sizes and slow statements, `audit` recounts samples, `versions` compares
the newest version of each agent with the one before it. Without one,
`postgres` asks the platform's tables for the figures of windows, and says what is missing.
"""
