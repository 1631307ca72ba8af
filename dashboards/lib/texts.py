"""Words: text, logs."""

from __future__ import annotations

from typing import ClassVar, Literal

from attrs import define

from dashboards.lib.field import Json
from dashboards.lib.panel import Panel


@define(slots=False, kw_only=True)
class Text(Panel):
    """Markdown (or, with variables made safe before, HTML)."""

    kind: ClassVar[str] = "text"
    dataless: ClassVar[bool] = True
    unitless: ClassVar[bool] = True
    content: str
    mode: Literal["markdown", "html"] = "markdown"

    def options(self) -> Json:
        return {"mode": self.mode, "content": self.content}


@define(slots=False, kw_only=True)
class Logs(Panel):
    """Lines with their time, newest first."""

    kind: ClassVar[str] = "logs"
    unitless: ClassVar[bool] = True

    def options(self) -> Json:
        return {
            "dedupStrategy": "none",
            "enableLogDetails": True,
            "prettifyLogMessage": False,
            "showCommonLabels": False,
            "showLabels": False,
            "showLogContextToggle": False,
            "showTime": True,
            "sortOrder": "Descending",
            "wrapLogMessage": True,
        }
