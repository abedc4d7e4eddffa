"""The traits of modes: how a pod is attached to its node, and how packets get from node to node.

Code outside of ``netlab.modes`` reads a trait, and never compares a mode's name.
"""

from __future__ import annotations

from typing import Literal

from netlab.frozen import frozen
from netlab.modes.wiring import NOTHING, Masquerade, PrefixLength, RemoteNodeSource, Wiring

Tunnel = Literal["", "vxlan", "ipip"]

VXLAN_PORT = 8472
"""The UDP port of VXLAN: the default of Linux and flannel. The registered port is 4789 (RFC 7348)."""

Reaches = Literal["all", "node", "network"]


@frozen
class Attachment:
    """How a pod is joined to the node that it runs on.

    - ``on_network``: the pod has an interface on a pod network.
    - ``host_network``: the pod is in its node's network namespace (``spec.hostNetwork``).
    - ``bridged``: the node's end of the pod's link is a port of a Linux bridge. Pods of a node share a link.
    - ``on_underlay``: the pod's interface is a child of the node's underlay interface. Packets bypass the node, and
      node and pod do not reach one another.
    - ``node_link``: the node has an interface for each pod.
    - ``node_gateway``: the pod's gateway is the first address of its range, and its node has that address.
    - ``enforced``: the pod's packets pass a netfilter hook of the node, which enforces policy.
    - ``published``: the node can publish ports of the pod (``hostPort``), by DNAT.
    - ``guarded``: the node drops packets of the pod with a source address or MAC that is not the pod's.
    - ``by_plugins``: programs make the pod's link after its network namespace, and choose its addresses.
    - ``reaches``: what a pod has routes to: all machines, its node and its network on that node, or its network only.
    """

    name: str
    on_network: bool = False
    host_network: bool = False
    bridged: bool = False
    on_underlay: bool = False
    node_link: bool = False
    node_gateway: bool = False
    enforced: bool = False
    published: bool = False
    guarded: bool = False
    by_plugins: bool = False
    reaches: Reaches = "all"

    @property
    def short(self) -> str:
        """The name as ``spec.networks[].wiring.attachment`` has it: the first word."""
        return self.name.split()[0]

    @property
    def loopback_only(self) -> bool:
        """Whether the pod has a loopback interface only: it is neither on a network nor in its node's namespace."""
        return not (self.on_network or self.host_network)


@frozen
class Transport:
    """How packets get from one node to the pods of another.

    - ``joins_nodes``: the pods of all nodes, and the nodes, reach one another. Else each node's network is separate.
    - ``node_ranges``: each node has its own part of the podCIDRs. Else the whole podCIDR is on every node.
    - ``single_routes``: a pod may have an address in no node's range, as nodes have a route to that address.
    - ``outside_routes``: outside hosts have routes to the addresses of pods.
    - ``on_underlay``: the underlay carries the frames of pods.
    - ``one_link``: the pods of all nodes are on one link, as the nodes' bridges are joined.
    - ``tunnel``: in what nodes send packets to one another; they accept it from nodes only. "" for no tunnel.
    - ``families``: the IP families of the packets that it carries.
    """

    name: str
    joins_nodes: bool = False
    node_ranges: bool = False
    single_routes: bool = False
    outside_routes: bool = False
    on_underlay: bool = False
    one_link: bool = False
    tunnel: Tunnel = ""
    families: tuple[int, ...] = (4, 6)


@frozen
class Mode:
    """One network mode: an attachment and a transport under the name that users write.

    ``masquerade``: which packets of a pod leave with its node's address as source: none, those to outside hosts, or
    also those to other nodes. ``outside_routes``: outside hosts have routes to the addresses of pods; None: the
    transport decides. ``remote_node_source``: the source of a node's packets to pods of other nodes. ``wiring`` has the
    choices that are not traits, such as the names of devices.

    Raises:
      ValueError: if attachment and transport do not fit. Both or neither are on the underlay. One link joins bridges. A
        node cannot masquerade packets that bypass it. Without masquerade, outside hosts need routes to pods to answer.
        A node without a tunnel, or without a bridge, has no address of it. A pod's prefix holds no pods that are not on
        its link. A link that joins nodes has no router with an MTU.
    """

    name: str
    attachment: Attachment
    transport: Transport
    masquerade: Masquerade = "none"
    outside_routes: bool | None = None
    remote_node_source: RemoteNodeSource = "node"
    wiring: Wiring = NOTHING

    def __post_init__(self) -> None:
        if not self.attachment.on_network:
            return
        if self.outside_routes is None:
            object.__setattr__(self, "outside_routes", self.transport.outside_routes)
        if self.attachment.on_underlay != self.transport.on_underlay:
            raise ValueError(f"{self.name}: {self.attachment.name} does not go with transport {self.transport.name}")
        if self.transport.one_link and not self.attachment.bridged:
            raise ValueError(f"{self.name}: {self.attachment.name} does not go with transport {self.transport.name}")
        self._check_prefix_length()
        if self.transport.one_link and self.wiring.mtu_place == "route":
            raise ValueError(f"{self.name}: pods on one link have their MTU on the device (mtuPlace: device)")
        if self.masqueraded and self.attachment.on_underlay:
            raise ValueError(f"{self.name}: a node masquerades only what it forwards")
        if not self.masqueraded and not self.outside_routes and self.attachment.reaches == "all":
            raise ValueError(f"{self.name}: outside hosts have no route to answer by")
        if self.remote_node_source == "tunnel" and (not self.transport.tunnel or self.transport.one_link):
            raise ValueError(f"{self.name}: a node has no tunnel, and so no address of it")
        if self.remote_node_source == "bridge" and not (self.attachment.node_gateway and self.transport.node_ranges):
            raise ValueError(f"{self.name}: a node has no bridge with an address of its own")

    def _check_prefix_length(self) -> None:
        """Raise ValueError if a pod would look on its link for a pod that is not there."""
        chosen = self.wiring.prefix_length
        own_link = self.attachment.node_link and not self.attachment.bridged
        apart = self.transport.node_ranges and not self.transport.one_link and not self.attachment.on_underlay
        if (own_link and chosen not in (None, "single")) or (apart and chosen == "network"):
            raise ValueError(f"{self.name}: with prefixLength {chosen} pods would look for others on their own link")

    @property
    def tunnel_port(self) -> int:
        """The UDP port of the tunnel, if it has one."""
        return self.wiring.tunnel_port or VXLAN_PORT

    @property
    def prefix_length(self) -> PrefixLength:
        """The prefix length of a pod's address: that of one address, of the node's range, or of the podCIDR."""
        if self.wiring.prefix_length is not None:
            return self.wiring.prefix_length
        if self.attachment.node_link and not self.attachment.bridged:
            return "single"
        return "network" if self.transport.one_link or self.attachment.on_underlay else "node"

    @property
    def masqueraded(self) -> bool:
        """Whether some packets of a pod leave with its node's address as source."""
        return self.masquerade != "none"

    def masquerades(self, to: Literal["outside", "nodes"]) -> bool:
        """Say whether packets of a pod to outside hosts, or to other nodes, leave with its node's address."""
        return self.masquerade == "outside-and-nodes" or (self.masquerade == "outside" and to == "outside")
