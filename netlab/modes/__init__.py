"""The network modes, by name: a mode is one value of traits, and each has a file of its own here.

This package imports nothing of netlab, so that every room can ask it.
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
"""The modes of pods that are on no network of a Topology."""

ONE_NODE = bridge.MODE.name
"""The mode of a network for which a Topology writes none, in a lab of one node."""

SEVERAL_NODES = overlay.MODE.name
"""That in a lab of two nodes or more, as the pods of a Kubernetes cluster reach one another across nodes."""


def of(name: str) -> Mode:
    """Return the mode that a name stands for.

    Raises:
      KeyError: where there is none of that name.
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
