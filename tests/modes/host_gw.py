"""Host-gw mode, a toy: a bridge on each node and plain routes between nodes, as with flannel's host-gw backend."""

from __future__ import annotations

from netlab.modes.attachments import BRIDGE
from netlab.modes.traits import Mode
from netlab.modes.transports import ROUTES

MODE = Mode("host-gw", BRIDGE, ROUTES, masquerade="outside-and-nodes")
