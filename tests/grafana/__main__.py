"""`python -m tests.grafana PORT`: the server as a program, until it is ended."""

from __future__ import annotations

import sys

from tests.grafana.server import GrafanaServer
from tests.grafana.world import World

GrafanaServer(World(), int(sys.argv[1])).serve_forever()
