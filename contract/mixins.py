"""Dashboards, rules and alerts of others that become part of a build: the section `mixins` of the configuration."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from contract.values import Section


class Mixin(Section):
    """A Jsonnet library with the fields `grafanaDashboards`, `prometheusRules` and `prometheusAlerts`, or some of them.

    `name` is the folder of its dashboards in Grafana and begins the names of its rule files. `library` is the file; what it
    imports stands below the file's folder or in the folders of `vendor`. `config` is laid over the library's `_config`.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,29}$")]
    library: Annotated[str, Field(min_length=1)]
    vendor: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    config: dict[str, Any] = Field(default_factory=dict)


def _names_are_unique(mixins: tuple[Mixin, ...]) -> tuple[Mixin, ...]:
    names = [mixin.name for mixin in mixins]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two mixins are called {twice[0]}; give one of them another name")
    return mixins


Mixins = Annotated[tuple[Mixin, ...], AfterValidator(_names_are_unique)]
