"""The ways to attach a pod. ``netlab.dataplane.wanted.ATTACHMENTS`` has the wiring of each."""

from __future__ import annotations

from netlab.modes.traits import Attachment

# As Docker's bridge driver and the CNI ``bridge`` plugin do it: a veth pair whose other end is a port of a bridge.
BRIDGE = Attachment(
    "bridge",
    on_network=True,
    bridged=True,
    node_link=True,
    node_gateway=True,
    enforced=True,
    published=True,
    guarded=True,
)

# As Calico does it: a veth pair whose other end is the node's, a route of its own and a link-local gateway.
VETH = Attachment("routed veth", on_network=True, node_link=True, enforced=True, published=True, guarded=True)

# As the CNI and Docker ``macvlan`` plugins do it: a child of the node's interface. No hook of the node sees it.
MACVLAN = Attachment("macvlan", on_network=True, on_underlay=True)

# ``spec.hostNetwork: true``: the node's own network namespace.
HOST = Attachment("host", host_network=True)

# Docker's none mode.
LOOPBACK = Attachment("loopback")
