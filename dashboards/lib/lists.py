"""Lists that Grafana fills itself: alerts and dashboards."""

from __future__ import annotations

from typing import ClassVar

from attrs import define

from dashboards.lib.field import Json
from dashboards.lib.panel import Panel


@define(slots=False, kw_only=True)
class AlertList(Panel):
    """Alerts of a data source's own ruler. `label_filter` is an alert instance filter such as `{team="agents"}`."""

    kind: ClassVar[str] = "alertlist"
    dataless: ClassVar[bool] = True
    unitless: ClassVar[bool] = True
    label_filter: str = ""
    most: int = 20

    def options(self) -> Json:
        return {
            "viewMode": "list",
            "groupMode": "default",
            "groupBy": [],
            "maxItems": self.most,
            "sortOrder": 3,
            "dashboardAlerts": False,
            "alertName": "",
            "alertInstanceLabelFilter": self.label_filter,
            "datasource": "${prometheus}",
            "stateFilter": {
                "firing": True,
                "pending": True,
                "error": True,
                "recovering": True,
                "noData": False,
                "normal": False,
            },
        }


@define(slots=False, kw_only=True)
class DashList(Panel):
    """Dashboards with all the given tags, opened with the time range and the variables as they are."""

    kind: ClassVar[str] = "dashlist"
    dataless: ClassVar[bool] = True
    unitless: ClassVar[bool] = True
    tags: tuple[str, ...] = ()
    most: int = 30

    def options(self) -> Json:
        return {
            "includeVars": True,
            "keepTime": True,
            "maxItems": self.most,
            "query": "",
            "showFolderNames": True,
            "showHeadings": False,
            "showRecentlyViewed": False,
            "showSearch": True,
            "showStarred": False,
            "tags": list(self.tags),
        }
