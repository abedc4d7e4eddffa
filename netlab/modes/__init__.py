"""The network modes, by name. A mode is one value, in a file of its own, and has the traits of the mode.

This package imports nothing of netlab, so every room can import it.
"""

from __future__ import annotations

from netlab.modes import bridge, host, macvlan, none, overlay, routed
from netlab.modes.traits import Attachment, Mode, Transport

MODES: dict[str, Mode] = {
    mode.name: mode
    for mode in (
        bridge.MODE,
        overlay.MODE,
        routed.MODE,
        macvlan.MODE,
        host.MODE,
        none.MODE,
    )
}

HOST = host.MODE
NONE = none.MODE
"""The modes of host-network pods, and of pods with a loopback interface only: they are on no pod network."""

ONE_NODE = bridge.MODE.name
"""The default mode of a network in a lab of one node."""

SEVERAL_NODES = overlay.MODE.name
"""The default mode in a lab of several nodes, as pods of a Kubernetes cluster reach one another across nodes."""


def of(name: str) -> Mode:
    """Return the mode of a name.

    Raises:
      KeyError: if there is no mode of that name.
    """
    return MODES[name]


def every() -> tuple[Mode, ...]:
    """Return all modes, in the order of the documentation."""
    return tuple(MODES.values())


def of_networks() -> tuple[Mode, ...]:
    """Return the modes that a network of a Topology can have."""
    return tuple(mode for mode in MODES.values() if mode.attachment.on_network)


__all__ = [
    "HOST",
    "MODES",
    "NONE",
    "ONE_NODE",
    "SEVERAL_NODES",
    "Attachment",
    "Mode",
    "Transport",
    "every",
    "of",
    "of_networks",
]
