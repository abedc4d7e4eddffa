"""The traits that modes are made of: how a pod is attached, and how nodes carry packets between pods.

Everything else in netlab asks for a trait, never for a name. Each trait says one fact in the terms of Kubernetes and
Linux.
"""

from __future__ import annotations

from netlab.frozen import frozen


@frozen
class Attachment:
    """How a pod is joined to the node that it runs on.

    ``on_network``: the pod has an interface on a pod network. ``host_network``: it lives in its node's network
    namespace (``spec.hostNetwork``). A pod that is neither has a loopback interface only.

    ``bridged``: the node's end of the pod's link is a port of a Linux bridge, so pods of a node share a link.
    ``on_underlay``: the pod's interface stands on the node's interface on the underlay. Packets go past the node, and
    node and pod do not reach one another. ``node_link``: the node has an interface of its own for each pod.

    ``node_gateway``: the pod's gateway is the first address of its range, and its node has that address.

    ``enforced``: the pod's packets pass a hook of the node, where policy is enforced. ``published``: the node can
    publish ports of the pod (``hostPort``), by DNAT. ``guarded``: the node drops what the pod sends from an address or
    a MAC that is not its own.
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

    @property
    def loopback_only(self) -> bool:
        """Whether the pod has a loopback interface only."""
        return not (self.on_network or self.host_network)


@frozen
class Transport:
    """How packets get from one node to the pods of another.

    ``joins_nodes``: the pods of all nodes, and the nodes, reach one another; else each node's network is its own.
    ``node_ranges``: each node has a range of the podCIDR of its own; else the whole podCIDR repeats on every node.
    ``single_routes``: a pod may have an address of no node's range, as one more route leads to it.
    ``outside_routes``: outside hosts have routes to the addresses of pods. ``on_underlay``: the underlay itself carries
    the frames of pods. ``tunnel``: nodes carry packets in VXLAN, which is to be taken from nodes only.
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

    ``masqueraded``: what a pod sends to a machine that is no pod leaves with its node's address, the pod's own node
    aside.

    Raises:
      ValueError: where the two do not fit: pods are on the underlay by both or by neither of them, a node cannot
        masquerade what goes past it, and an outside host answers a pod's own address only where it has a route.
    """

    name: str
    attachment: Attachment
    transport: Transport
    masqueraded: bool = False

    def __post_init__(self) -> None:
        if not self.attachment.on_network:
            return
        if self.attachment.on_underlay != self.transport.on_underlay:
            raise ValueError(f"{self.name}: {self.attachment.name} does not go with transport {self.transport.name}")
        if self.masqueraded and self.attachment.on_underlay:
            raise ValueError(f"{self.name}: a node masquerades only what it forwards")
        if not self.masqueraded and not self.transport.outside_routes:
            raise ValueError(f"{self.name}: outside hosts have no route to answer by")
