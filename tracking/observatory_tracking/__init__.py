"""Rows and metrics of what agents do, for platforms that have none yet.

from observatory_tracking import Tracker

tracker = Tracker(dsn=os.environ["TRACKING_DSN"], environment="production")

with tracker.track_session(user_id=7):
    with tracker.track_execution("billing", version="1.4.2") as run:
        with tracker.track_tool("lookup", api="crm") as tool:
            ...
            tool.answered(200)
        run.tokens += 812
"""

from observatory_tracking.current import correlation_id
from observatory_tracking.spans import Execution, Session, Tool, Workflow
from observatory_tracking.tracker import Tracker, tables

__all__ = ["Execution", "Session", "Tool", "Tracker", "Workflow", "correlation_id", "tables"]
