"""Mode cni: programs make the pods' links, as a network configuration list says.

What a pod reaches follows from the first plugin, which makes the link, and from few fields of the list.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from netlab.modes.attachments import PLUGIN_BRIDGE, PLUGIN_UNDERLAY, PLUGIN_VETH, PLUGINS
from netlab.modes.traits import Mode, Reaches
from netlab.modes.transports import LINK, NONE, ROUTES

# Without a list, nothing is known of the pods' links.
MODE = Mode("cni", PLUGINS, NONE)

_BY_ATTACHMENT = {"bridge": PLUGIN_BRIDGE, "routed": PLUGIN_VETH, "macvlan": PLUGIN_UNDERLAY}
# The reference plugins that make links (https://www.cni.dev/plugins/current/main/). The last three make a device of
# the node, or a child of one, the pod's: its packets pass no hook of the node.
_BY_PLUGIN = {
    "bridge": "bridge",
    "ptp": "routed",
    "macvlan": "macvlan",
    "ipvlan": "macvlan",
    "vlan": "macvlan",
    "host-device": "macvlan",
}


def attachment_of(plugin: str) -> str | None:
    """Return the name of the attachment that a plugin makes, None for a plugin that netlab does not know."""
    return _BY_PLUGIN.get(plugin)


@lru_cache(maxsize=64)
def of_plugins(
    attachment: str, *, takes_range: bool, masquerades: bool, gateway: bool, default_route: bool, publishes: bool
) -> Mode:
    """Return the mode of pods whose links plugins make.

    Args:
      attachment: the attachment that they make, by the name of one of netlab's own.
      takes_range: netlab gives the pods' range.
      masquerades: a plugin masquerades what leaves the network.
      gateway: the node has an address on the network.
      default_route: a pod has a default route.
      publishes: a plugin publishes ports.
    """
    kind = _BY_ATTACHMENT[attachment]
    if kind.on_underlay:
        return replace(MODE, attachment=kind, transport=LINK)
    # Packets to another node need a range that is this node's alone, and a source that the other node can answer.
    routed = takes_range and not masquerades and gateway and default_route
    everywhere = gateway and default_route and (routed or masquerades)
    reaches: Reaches = "all" if everywhere else "node" if gateway else "network"
    return replace(
        MODE,
        attachment=replace(kind, reaches=reaches, published=publishes and gateway),
        transport=ROUTES if routed else NONE,
        masquerade="outside-and-nodes" if masquerades and everywhere else "none",
        outside_routes=routed,
    )
