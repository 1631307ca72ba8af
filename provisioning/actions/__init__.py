"""Changes that people make from what they see on a dashboard, as commands: shown, confirmed, recorded, and taken back.

`action` is the frame of all of them, `configured` those that change `observatory.yaml`, `edit` how a text is changed no more
than it has to be, `audit` what is written to `analytics.audit_log`.
"""
