"""Versions of agents: developed, tried on staging, taken into production some days later."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from demo.world.catalogue import AGENTS, Agent
from demo.world.model import Deployment, WorldSpec
from demo.world.rhythm import DAY, HOUR, stream

_BEFORE, _AFTER = 75 * DAY, 400 * DAY
_ORDER = ("development", "staging", "production")


class Release(NamedTuple):
    """A deployment and how the version does: `pace` multiplies durations, `care` the share of failures."""

    deployment: Deployment
    pace: float
    care: float


class Releases:
    """All deployments from before the history to far after it."""

    def __init__(self, spec: WorldSpec) -> None:
        self._served: dict[tuple[str, str], tuple[list[float], list[Release]]] = {}
        for agent in AGENTS:
            for environment, releases in _plan(spec, agent).items():
                self._served[agent.name, environment] = ([release.deployment.at for release in releases], releases)
        everything = (release.deployment for _, releases in self._served.values() for release in releases)
        self._deployments = sorted(everything, key=lambda deployment: (deployment.at, deployment.deployment_id))

    def until(self, at: float) -> list[Deployment]:
        return [deployment for deployment in self._deployments if deployment.at <= at]

    def serving(self, agent: str, environment: str, at: float) -> Release:
        """The release that serves at a time. Times outside the plan get the first or the last one."""
        times, releases = self._served[agent, environment]
        return releases[max(0, bisect_right(times, at) - 1)]


def _plan(spec: WorldSpec, agent: Agent) -> dict[str, list[Release]]:
    rng = stream(spec, "releases", agent.name)
    drafts: dict[str, list[tuple[float, str, str, str, int, float, float]]] = {environment: [] for environment in _ORDER}
    at, major, minor, patch, prompt = spec.beginning - _BEFORE, 1 + agent.agent_id % 3, 0, 0, 3 + agent.agent_id
    while at < spec.anchor + _AFTER:
        if rng.random() < 0.35:
            patch += 1
        else:
            minor, patch = minor + 1, 0
        prompt += 1
        # Now and then a release tries the other model.
        model = agent.models[1 if rng.random() < 0.15 else 0]
        pace, care = rng.uniform(0.93, 1.07), rng.uniform(0.8, 1.2)
        commit = f"{rng.getrandbits(28):07x}"
        moment = at
        for environment in _ORDER:
            drafts[environment].append((moment, f"{major}.{minor}.{patch}", commit, model, prompt, pace, care))
            moment = _office_hours(moment + rng.uniform(1.5, 4.0) * DAY, rng.random())
        at = _office_hours(at + rng.uniform(15.0, 34.0) * DAY, rng.random())
    return {environment: _chain(agent, environment, draft) for environment, draft in drafts.items()}


def _office_hours(at: float, lot: float) -> float:
    """A moment between 9 and 15 o'clock of the day, on Monday when the day is of a weekend."""
    day = at // DAY
    day += {2: 2, 3: 1}.get(int(day) % 7, 0)
    return float(day * DAY + 9 * HOUR + round(lot * 6 * HOUR))


def _chain(agent: Agent, environment: str, drafts: list[tuple[float, str, str, str, int, float, float]]) -> list[Release]:
    releases = []
    for number, (at, version, commit, model, prompt, pace, care) in enumerate(drafts):
        retired = drafts[number + 1][0] if number + 1 < len(drafts) else None
        identity = agent.agent_id * 10_000 + number * 10 + _ORDER.index(environment)
        deployment = Deployment(identity, agent.name, version, environment, at, retired, commit, model, prompt)
        releases.append(Release(deployment, pace, care))
    return releases
