"""Bridge mode: a bridge on each node, and no links between nodes, as in Docker."""

from __future__ import annotations

from netlab.modes.attachments import BRIDGE
from netlab.modes.traits import Mode
from netlab.modes.transports import NONE

MODE = Mode("bridge", BRIDGE, NONE, masquerade="outside-and-nodes")
