"""A folder that Prometheus or Alertmanager reads, and how the server is told that it has changed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ValidationInfo, field_validator

from contract.values import Section, between


class ServedFolder(Section):
    """Where `apply` writes, and how what it wrote comes into force.

    `folder` is the server's folder as this machine sees it; without it `plan` and `apply` leave the server out. The server is
    told over HTTP (`/-/reload`), by SIGHUP to the process whose id stands in `pid_file`, or not at all, because it notices by
    itself. It has loaded what is new `within` this time, or everything goes back to what it was.
    """

    folder: str | None = None
    reload: Literal["http", "signal", "itself"] = "http"
    pid_file: str | None = None
    within: Annotated[str, between("1s", "10m")] = "1m"

    @field_validator("pid_file")
    @classmethod
    def _a_signal_has_a_process(cls, file: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("reload") == "signal" and not file:
            raise ValueError("reload is 'signal' without pid_file; name the file that holds the server's process id")
        return file
