"""What each kind of Grafana's objects has to offer."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Protocol

from provisioning.plan.objects import Live, Wanted
from provisioning.plan.target import Moved

Json = dict[str, Any]
_NOTHING: tuple[Any, ...] = (None, "", [], {})


class Kind(Protocol):
    """One kind: reads, writes and removes its objects. Errors are those of `provisioning.plan.target.Target`."""

    def live(self, known: Collection[str]) -> Iterator[Live]:
        """All objects there. `known` are names that we want or wrote; of the others no more is read than their title."""

    def write(self, wanted: Wanted, live: Live | None) -> Live: ...

    def remove(self, live: Live) -> None: ...

    def mark(self, live: Live, owner: str) -> Live: ...


def still_there(live: Live, found: Live | None) -> bool:
    """Whether an object that is to go is there, as `found` now. Raises Moved when it was changed since `live` was read."""
    if found is not None and found.revision != live.revision:
        raise Moved(f"{live.key} was changed since it was read")
    return found is not None


def plain(node: Any) -> Any:
    """The same without nulls and without empty texts, lists and objects: a server may add or leave them as it likes."""
    if isinstance(node, dict):
        # Most values are no containers: to ask that here saves a call for each.
        inside = {key: plain(item) if isinstance(item, dict | list) else item for key, item in node.items()}
        return {key: item for key, item in inside.items() if item or item not in _NOTHING}
    if isinstance(node, list):
        return [plain(item) if isinstance(item, dict | list) else item for item in node]
    return node
