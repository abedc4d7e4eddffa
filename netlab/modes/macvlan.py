"""Macvlan mode: pods are on the underlay, and their packets bypass the node."""

from __future__ import annotations

from netlab.modes.attachments import MACVLAN
from netlab.modes.traits import Mode
from netlab.modes.transports import UNDERLAY

MODE = Mode("macvlan", MACVLAN, UNDERLAY)
