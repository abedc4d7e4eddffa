"""Proves that a node forwards to the pod behind one of its ports.

A control is not translated, so one goes from the source to the node, and one from the node to the pod. Neither proves
that the node forwards. So a third control has the pod's address as its destination, and is sent to the node: the route
is that to the node, and the sender has a permanent neighbour entry for the pod's address with the node's MAC. The
kernel takes the next hop from the IP header where the route has no gateway (net/ipv4/ip_output.c, ip_finish_output2;
net/ipv6/ip6_output.c, ip6_finish_output2).

A pod of the same node reaches the node by its default gateway, so its control needs no such entry. A pod of another
node reaches the node by its own node or the underlay, which the first control proves. So its own node sends the third.

Where no such control can pass, the setting of the node's kernel counts. A pod that reaches itself by its node also
needs a bridge port that sends frames back, and the node's kernel says whether it does.
"""

from __future__ import annotations

from netlab.cluster.types import Node, Pod
from netlab.dataplane import names
from netlab.frozen import frozen
from netlab.probe.facts import Question
from netlab.probe.probes import End, Probe
from netlab.probe.worker_state import Shared


@frozen
class Relay:
    """A control that ``sender`` sends to ``node``, and that the node must forward to the probe's destination.

    ``neighbour``: whether the sender needs a neighbour entry for the destination with the node's MAC.
    """

    sender: End
    node: End
    neighbour: bool


def must_forward(probe: Probe) -> bool:
    """Return whether the node that translates a probe forwards it from another network namespace to another."""
    translator = probe.translator
    return translator is not None and translator.sockets not in (probe.source.sockets, probe.destination.sockets)


def relay(shared: Shared, probe: Probe) -> Relay | None:
    """Return the control that proves that the node forwards a probe; None where none can pass.

    None can pass from a pod to itself, as a kernel drops packets from its own address, and between two pod networks,
    as rules drop what is not translated. None can pass the node where the source has the node's address on link, or the
    underlay has the pod's address.
    """
    node, backend, source = _node(shared, probe), probe.destination.endpoint, probe.source.endpoint
    via = shared.probes.end(node, probe.source.family)
    if not isinstance(via, End) or not isinstance(backend, Pod) or backend.traits.attachment.on_underlay:
        return None
    machine = shared.cluster.node(source.node) if isinstance(source, Pod) else source
    if machine.ref != node.ref:
        if backend.node != node.name:
            return None
        # Where machines have a route on link to the pod's address, the entry would open a path that is not there.
        if any(probe.destination.address in prefix for prefix in shared.cluster.underlay_cidrs):
            return None
        sender = probe.source if machine is source else shared.probes.end(machine, probe.source.family)
        return Relay(sender, via, neighbour=True) if isinstance(sender, End) else None
    if not isinstance(source, Pod):
        return None
    if backend.node != node.name and not backend.traits.transport.joins_nodes:
        return None
    on_link = any(via.address in prefix for prefix in node.pod_cidrs.get(source.network, ()))
    if source.ref == backend.ref or source.network != backend.network or on_link:
        return None
    return Relay(probe.source, via, neighbour=False)


def unproven(shared: Shared, probe: Probe) -> str:
    """Return why a probe without a relay may be lost at the node, "" where the node's kernel has forwarding on.

    IPv4 has a setting for each device that packets come from; IPv6 has one for all (Linux
    Documentation/networking/ip-sysctl.rst).
    """
    node, source, family = _node(shared, probe), probe.source.endpoint, probe.source.family
    itself = source.ref == probe.destination.endpoint.ref
    if itself and isinstance(source, Pod) and source.node == node.name:
        why = _why_no_hairpin(shared, node, source)
        if why:
            return why
    device = "all"
    if family == 4:
        device = names.UNDERLAY_DEVICE
        if isinstance(source, Pod) and not source.host_network and source.node == node.name:
            network = shared.cluster.network(source.network)
            bridged = network.traits.attachment.bridged
            if network.traits.attachment.by_plugins:
                return ""  # the device has a name of the plugins
            device = names.bridge_name(network) if bridged else names.port_name(source)
    name = f"ipv{family}/conf/{device}/forwarding"
    value = shared.fact(Question("setting", shared.probes.namespace(node), name))
    where = f"{node.ref} does not forward packets to {probe.destination.endpoint.ref}"
    return "" if value == "1" else f"{where}: net.{name.replace('/', '.')} is {value or 'missing'}"


def _why_no_hairpin(shared: Shared, node: Node, pod: Pod) -> str:
    """Return why a node may not send a pod's packets back to the pod, "" if the node's kernel shows that it does.

    No control packet can take this way, as a kernel drops packets from its own address. Controls between the pod and
    its node pass the same link in both directions. A bridge also needs the hairpin setting of the pod's port
    (net/bridge/br_forward.c, should_deliver), which it does not have if the lab's hairpin is unwired.
    """
    port = names.port_name(pod)
    if pod.traits.attachment.by_plugins:
        return f"a plugin made the port of {pod.ref}, and netlab does not know whether frames go back to it"
    if not pod.traits.attachment.bridged:
        return "" if pod.traits.attachment.node_link else f"{pod.ref} is not behind {node.ref}"
    if shared.cluster.policy.hairpin == "unwired":
        return ""
    hairpin = shared.fact(Question("hairpin", shared.probes.namespace(node), port))
    return "" if hairpin else f"the bridge of {node.ref} does not send frames of {pod.ref} back to it"


def _node(shared: Shared, probe: Probe) -> Node:
    """Return the node that translates a probe; the packet may be sent to a host-network pod of it."""
    endpoint = probe.target.endpoint
    if isinstance(endpoint, Pod):
        return shared.cluster.node(endpoint.node)
    if not isinstance(endpoint, Node):
        raise TypeError(f"{endpoint.ref} does not translate")
    return endpoint
