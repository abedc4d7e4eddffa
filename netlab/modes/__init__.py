"""The network modes, by name. A mode is one value, in a file of its own, and has the traits of the mode.

This package imports nothing else of netlab, so every room can import it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from netlab.modes import attachments, bridge, cni, host, macvlan, none, overlay, routed, transports
from netlab.modes.traits import Attachment, Mode, Transport
from netlab.modes.wiring import NOTHING, Wiring

MODES: dict[str, Mode] = {
    mode.name: mode
    for mode in (
        bridge.MODE,
        overlay.MODE,
        routed.MODE,
        macvlan.MODE,
        cni.MODE,
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


UNNAMED = replace(NONE, name="")
"""Stands for the mode of a network or pod, which its name tells."""


def named(name: str, known: Mode) -> Mode:
    """Return the known mode if it has that name, else the mode of that name; raise KeyError if there is none."""
    return known if known.name == name else of(name)


def every() -> tuple[Mode, ...]:
    """Return all modes, in the order of the documentation."""
    return tuple(MODES.values())


def of_networks() -> tuple[Mode, ...]:
    """Return the modes that a network of a Topology can have."""
    return tuple(mode for mode in MODES.values() if mode.attachment.on_network)


ATTACHMENTS = {one.short: one for one in (attachments.BRIDGE, attachments.VETH, attachments.MACVLAN)}
TRANSPORTS = {
    one.name: one
    for one in (
        transports.NONE,
        transports.VXLAN,
        transports.IPIP,
        transports.FLAT_VXLAN,
        transports.ROUTES,
        transports.UNDERLAY,
    )
}
"""The attachments and transports that a network's wiring can choose, by name."""


@lru_cache(maxsize=256)
def wired(mode: Mode, chosen: Wiring, name: str = "") -> Mode:
    """Return a mode with other choices of wiring, and another name if one is given.

    Raises:
      ValueError: if the choices do not fit one another.
    """
    if chosen == NOTHING and name in ("", mode.name):
        return mode
    return replace(
        mode,
        name=name or mode.name,
        attachment=ATTACHMENTS[chosen.attachment] if chosen.attachment else mode.attachment,
        transport=TRANSPORTS[chosen.transport] if chosen.transport else mode.transport,
        masquerade=chosen.masquerade or mode.masquerade,
        # Without a choice a new transport decides.
        outside_routes=chosen.outside_routes
        if chosen.transport or chosen.outside_routes is not None
        else mode.outside_routes,
        remote_node_source=chosen.remote_node_source or mode.remote_node_source,
        wiring=chosen.over(mode.wiring),
    )


__all__ = [
    "ATTACHMENTS",
    "HOST",
    "MODES",
    "NONE",
    "ONE_NODE",
    "SEVERAL_NODES",
    "TRANSPORTS",
    "UNNAMED",
    "Attachment",
    "Mode",
    "Transport",
    "Wiring",
    "every",
    "named",
    "of",
    "of_networks",
    "wired",
]
