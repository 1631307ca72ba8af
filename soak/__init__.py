"""A day of life at speed: writers, counting, expiry and rendering by a clock of its own, while what they use is measured.

- `life`      the platform and the exporter, moved by one clock
- `flatness`  what was measured, as a table and as JSON, and whether it stayed flat
"""
