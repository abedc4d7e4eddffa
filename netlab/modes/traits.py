"""The traits of modes: how a pod is attached to its node, and how packets get from node to node.

Code outside of ``netlab.modes`` reads a trait, and never compares a mode's name.
"""

from __future__ import annotations

from typing import Literal

from netlab.frozen import frozen
from netlab.modes.wiring import NOTHING, Masquerade, RemoteNodeSource, Wiring

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
    - ``tunnel``: nodes send packets in VXLAN, and accept VXLAN from nodes only.
    """

    name: str
    joins_nodes: bool = False
    node_ranges: bool = False
    single_routes: bool = False
    outside_routes: bool = False
    on_underlay: bool = False
    tunnel: bool = False


@frozen
class Mode:
    """One network mode: an attachment and a transport under the name that users write.

    ``masquerade``: which packets of a pod leave with its node's address as source: none, those to outside hosts, or
    also those to other nodes. ``outside_routes``: outside hosts have routes to the addresses of pods; None: the
    transport decides. ``remote_node_source``: the source of a node's packets to pods of other nodes. ``wiring`` has the
    choices that are not traits, such as the names of devices.

    Raises:
      ValueError: if attachment and transport do not fit. Both or neither are on the underlay. A node cannot masquerade
        packets that bypass it. Without masquerade, outside hosts need routes to pods to answer.
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
        if self.masqueraded and self.attachment.on_underlay:
            raise ValueError(f"{self.name}: a node masquerades only what it forwards")
        if not self.masqueraded and not self.outside_routes and self.attachment.reaches == "all":
            raise ValueError(f"{self.name}: outside hosts have no route to answer by")

    @property
    def masqueraded(self) -> bool:
        """Whether some packets of a pod leave with its node's address as source."""
        return self.masquerade != "none"
