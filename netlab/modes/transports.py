"""The transports between nodes. ``netlab.dataplane.wanted.TRANSPORTS`` has the wiring of each that has any."""

from __future__ import annotations

from netlab.modes.traits import Transport

# No path from the pods of one node to those of another.
NONE = Transport("none")

# A VXLAN tunnel between nodes, with a route to each node's pods, as with flannel's vxlan backend.
VXLAN = Transport("vxlan", joins_nodes=True, node_ranges=True, single_routes=True, tunnel="vxlan")

# An IPIP tunnel between nodes, as with Calico's manifest. It carries IPv4 only.
IPIP = Transport("ipip", joins_nodes=True, node_ranges=True, single_routes=True, tunnel="ipip", families=(4,))

# The bridges of all nodes are one link, joined by VXLAN, as with Weave Net.
FLAT_VXLAN = Transport(
    "flat-vxlan", joins_nodes=True, node_ranges=True, single_routes=True, one_link=True, tunnel="vxlan"
)

# Plain routes by the nodes' addresses, on outside hosts too, as with Calico without encapsulation.
ROUTES = Transport("routes", joins_nodes=True, node_ranges=True, single_routes=True, outside_routes=True)

# Pods are on the underlay: every machine there has an on-link route to their ranges.
UNDERLAY = Transport("underlay", joins_nodes=True, node_ranges=True, outside_routes=True, on_underlay=True)

# Pods are on the underlay and have a route to their own network only.
LINK = Transport("link", joins_nodes=True, on_underlay=True)
