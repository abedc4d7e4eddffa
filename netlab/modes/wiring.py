"""The choices of a network's wiring, one by one: a mode is a usual set of them, and a profile another.

The values are those of ``spec.networks[].wiring`` of a Topology and of ``spec.wiring`` of a Profile.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Literal

from netlab.frozen import frozen

Masquerade = Literal["none", "outside", "outside-and-nodes"]
RemoteNodeSource = Literal["node", "tunnel", "bridge"]
MtuPlace = Literal["device", "route"]
PrefixLength = Literal["single", "node", "network"]
DefaultRoute = Literal["gateway", "device"]


@frozen
class Wiring:
    """What is chosen of a network's wiring; None or "" is "not chosen", and the mode or netlab decides.

    - ``attachment``, ``transport``: the names of an attachment and a transport (``netlab.modes``).
    - ``masquerade``: which packets of pods get their node's address: none, those to outside hosts, or also those to
      other nodes.
    - ``outside_routes``: whether outside hosts have routes to the addresses of pods.
    - ``remote_node_source``: the source address of a node's packets to pods of other nodes: the node's own, that of its
      tunnel device, or that of its bridge.
    - ``bridge_name``, ``tunnel_name``: the names of the bridge and the tunnel device on each node.
    - ``port_prefix``: the start of the name of a pod's link on its node. ``port_mac``: the MAC of all these links.
    - ``vni``, ``tunnel_port``: the VXLAN network identifier and UDP port.
    - ``mtu``: the MTU of pods in bytes; None: that of the underlay less the tunnel's headers. ``mtu_place``: on the
      pod's device, or on its route while the device has that of the underlay.
    - ``prefix_length``: of a pod's address: /32 and /128, that of the node's range, or that of the network's podCIDR.
    - ``gateway``: the IPv4 gateway of pods, for attachments without a gateway in the range.
    - ``default_route``: by the gateway, or by the device without a next hop.
    - ``hairpin_mode``: whether a bridge sends frames of a pod back to it; None: only where a Service or a published
      port needs it.
    - ``proxy_arp``: whether the node answers ARP on the links of pods for every address that it has a route to.
    """

    attachment: str | None = None
    transport: str | None = None
    masquerade: Masquerade | None = None
    outside_routes: bool | None = None
    remote_node_source: RemoteNodeSource | None = None
    bridge_name: str = ""
    tunnel_name: str = ""
    port_prefix: str = ""
    port_mac: str = ""
    vni: int | None = None
    tunnel_port: int | None = None
    mtu: int | None = None
    mtu_place: MtuPlace | None = None
    prefix_length: PrefixLength | None = None
    gateway: str = ""
    default_route: DefaultRoute | None = None
    hairpin_mode: bool | None = None
    proxy_arp: bool | None = None

    def over(self, other: Wiring) -> Wiring:
        """Return these choices, and those of ``other`` where these have none."""
        chosen = {one.name: own for one in fields(self) if (own := getattr(self, one.name)) not in (None, "")}
        return replace(other, **chosen)


NOTHING = Wiring()
"""No choice at all."""
