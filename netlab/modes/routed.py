"""Routed mode: a route for each pod on its node, and plain routes between nodes, as with unencapsulated Calico."""

from __future__ import annotations

from netlab.modes.attachments import VETH
from netlab.modes.traits import Mode
from netlab.modes.transports import ROUTES

MODE = Mode("routed", VETH, ROUTES)
