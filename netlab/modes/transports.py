"""The ways from node to node. ``netlab.dataplane.wanted.TRANSPORTS`` has the wiring of each that has any."""

from __future__ import annotations

from netlab.modes.traits import Transport

# Nothing leads from the pods of one node to those of another.
NONE = Transport("none")

# As flannel's vxlan backend does it: a tunnel from node to node, and a route by it to each node's pods.
VXLAN = Transport("vxlan", joins_nodes=True, node_ranges=True, single_routes=True, tunnel=True)

# As Calico without encapsulation does it: plain routes by the nodes' addresses, which outside hosts have too.
ROUTES = Transport("routes", joins_nodes=True, node_ranges=True, single_routes=True, outside_routes=True)

# Pods are machines on the underlay: every machine there has their ranges on its link.
UNDERLAY = Transport("underlay", joins_nodes=True, node_ranges=True, outside_routes=True, on_underlay=True)
