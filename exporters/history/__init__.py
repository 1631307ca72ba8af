"""History for Prometheus, worked back from what was counted: the values that the exporter would have shown had it run then.

Counters and histograms are today's totals less what happened since. They are exact at every full minute of the last day, and at
every full hour before; in an hour of which only the sum is known, what happened follows evenly. Figures of windows are those of
the last full hour. A row counts at the time when it happened, whereas the living exporter saw it when it was committed.

What stands in tables now (stocks, ages, sizes) says nothing about then, and is left out.
"""
