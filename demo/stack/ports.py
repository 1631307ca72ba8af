"""Ports of the stack on the loopback address."""

from __future__ import annotations

import socket
from collections.abc import Mapping

LOOPBACK = "127.0.0.1"
DEFAULTS: dict[str, int] = {
    "postgres": 55432,
    "langfuse": 3100,
    "platform": 9470,
    "exporter": 9464,
    "inbox": 8025,
    "smtp": 1025,
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
    "preview": 3300,
}


def is_free(port: int) -> bool:
    """Whether a server could listen there. Connections of an ended server that still linger do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose(wanted: Mapping[str, int] = DEFAULTS) -> dict[str, int]:
    """A free port for each name: the wanted one, or when it is taken the next free one that nobody else here wants."""
    chosen: dict[str, int] = {}
    reserved = set(wanted.values())
    for name, port in wanted.items():
        if not is_free(port):
            port = next(other for other in range(port + 1, 65536) if other not in reserved and is_free(other))
            reserved.add(port)
        chosen[name] = port
    return chosen


class Held:
    """Keeps chosen ports from other programs until the part that they are for is started."""

    def __init__(self, chosen: Mapping[str, int]) -> None:
        self._sockets: dict[str, socket.socket] = {}
        for name, port in chosen.items():
            holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                # Without SO_REUSEADDR, so that nobody else can bind. Lingering connections forbid it: then it is not held.
                holder.bind((LOOPBACK, port))
            except OSError:
                holder.close()
            else:
                self._sockets[name] = holder

    def release(self, *names: str) -> None:
        """Lets go of ports; of all that are left when none is named."""
        for name in names or tuple(self._sockets):
            if holder := self._sockets.pop(name, None):
                holder.close()


def moved(chosen: Mapping[str, int], wanted: Mapping[str, int] = DEFAULTS) -> list[str]:
    """One sentence for each port that is not the wanted one."""
    return [f"port {wanted[name]} is taken; {name} listens on {port}" for name, port in chosen.items() if port != wanted[name]]
