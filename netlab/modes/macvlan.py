"""Macvlan mode: pods on the underlay itself, past their nodes."""

from __future__ import annotations

from netlab.modes.attachments import MACVLAN
from netlab.modes.traits import Mode
from netlab.modes.transports import UNDERLAY

MODE = Mode("macvlan", MACVLAN, UNDERLAY)
