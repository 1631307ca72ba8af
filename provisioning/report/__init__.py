"""`observatory report`: a tab as a file to read, to send or to calculate with.

- `drawn`     the figures and pictures of the panels, as the preview shows them
- `changes`   what differs from the period before
- `standing`  alerts, service levels and sources in the range
- `document`  the parts put together
- `page`, `paper`, `book`, `sheets`, `machine`  HTML, PDF, XLSX, CSV and JSON
- `mail`, `schedule`  how it reaches people by itself
"""
