"""Our side of the platform's database: schema `analytics`, how the platform's tables are mapped, and who may read what.

- `sessions`    connections with limits, safe behind a pooler
- `migrations`  the versioned SQL of schema `analytics`, one transaction each
- `mapping`     the contract's relations as expressions over the platform's own tables
- `roles`       group roles and their grants
- `views`       what dashboards may read
- `installation`  all of it, in order, as one plan that can be shown before it runs
"""
