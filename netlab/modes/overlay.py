"""Overlay mode: a bridge on each node, and VXLAN between nodes, as with flannel."""

from __future__ import annotations

from netlab.modes.attachments import BRIDGE
from netlab.modes.traits import Mode
from netlab.modes.transports import VXLAN

MODE = Mode("overlay", BRIDGE, VXLAN, masquerade="outside-and-nodes")
