"""What `observatory apply` brings to Grafana: folders with their permissions, data sources and dashboards."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from contract.values import Section

Right = Literal["view", "edit", "admin"]
TeamName = Annotated[str, Field(pattern=r"^\S(.{0,188}\S)?$")]


AgentName = Annotated[str, Field(pattern=r"^\S(.{0,98}\S)?$")]


def _each_once(agents: tuple[str, ...]) -> tuple[str, ...]:
    if twice := sorted({agent for agent in agents if agents.count(agent) > 1}):
        raise ValueError(f"named twice: {', '.join(twice)}")
    return agents


class FolderAccess(Section):
    """What people may do in a folder, and in all dashboards in it.

    `viewers` and `editors` are everybody with that role in Grafana; `teams` are Grafana's teams, by name. Grafana's
    administrators may do everything in every folder.
    """

    viewers: Literal["none", "view", "edit", "admin"] = "none"
    editors: Literal["none", "view", "edit", "admin"] = "none"
    teams: dict[TeamName, Right] = Field(default_factory=dict)


class Folders(Section):
    """The folders of the dashboards, each with who may do what in it. `mixins` are all folders of mixins."""

    business: FolderAccess = FolderAccess(viewers="view", editors="view")
    administration: FolderAccess = FolderAccess()
    mixins: FolderAccess = FolderAccess(viewers="view", editors="view")


class GrafanaContents(Section):
    """What is applied. `data_sources` and `permissions` may stay with somebody else, whose token may do more.

    `alerts`: whether Grafana evaluates the alerts, where Prometheus does not. It sends them to the same Alertmanager.

    `editable`: whether dashboards can be changed in the browser. What is changed there is shown by the next plan, and not kept
    by an apply that overwrites edits.

    `agent_colours`: agents that have a colour of their own on every graph, in this order. More than eight colours are not told
    apart; all other agents share what Grafana gives.
    """

    data_sources: bool = True
    permissions: bool = True
    alerts: bool = False
    editable: bool = False
    agent_colours: Annotated[tuple[AgentName, ...], Field(max_length=8), AfterValidator(_each_once)] = (
        "support",
        "billing",
        "it-helpdesk",
        "sales",
        "research",
    )
    folders: Folders = Folders()
