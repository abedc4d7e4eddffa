"""Host-gw mode, a toy: bridges on nodes that plain routes join, as flannel's host-gw backend has it."""

from __future__ import annotations

from netlab.modes.attachments import BRIDGE
from netlab.modes.traits import Mode
from netlab.modes.transports import ROUTES

MODE = Mode("host-gw", BRIDGE, ROUTES, masqueraded=True)
