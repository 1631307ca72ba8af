"""The dashboards: one room a tab, made of the panel vocabulary in `lib`."""
