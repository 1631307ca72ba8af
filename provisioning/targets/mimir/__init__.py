"""A tenant of Grafana Mimir as a target: rules in a namespace of ours, and where the site wants it the tenant's Alertmanager.

`client` asks Mimir, `rules` and `routes` are what is compared and sent, `tenant` does what a plan says.
"""

from __future__ import annotations

from collections.abc import Mapping

from contract.settings import Settings
from provisioning.plan.target import Target


def target(settings: Settings, built: Mapping[str, bytes]) -> Target:
    """The tenant of the settings, for what `build` wrote. Raises InputError where no address or a wrong token is given."""
    from provisioning.targets.mimir.client import connected
    from provisioning.targets.mimir.tenant import Tenant

    return Tenant(settings, connected(settings), built)
