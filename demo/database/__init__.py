"""The platform's database: an embedded PostgreSQL, its tables, the history loaded at once and the life that goes on."""
