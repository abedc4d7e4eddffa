"""Node objects of a lab's nodes."""

from __future__ import annotations

import pytest

from netlab.cluster import resolve
from netlab.control_plane.nodes.node_objects import node_status
from netlab.objects import Document, decode
from netlab.objects.types import Source


@pytest.mark.parametrize("ranges", [["10.244.0.0/16"], ["10.244.0.0/16", "fd00:1::/48"]], ids=["one", "two-families"])
def test_a_node_has_room_for_the_pods_that_have_addresses(ranges):
    """The scheduler binds no more, as the lab would refuse them. A node has a /24, and some are netlab's own."""
    network = {"name": "default", "mode": "overlay", "podCIDRs": ranges}
    topology = {
        "apiVersion": "netlab/v1alpha1",
        "kind": "Topology",
        "metadata": {"name": "t"},
        "spec": {"networks": [network], "nodes": [{"name": "n1"}, {"name": "n2"}]},
    }
    objects, _ = decode([Document(topology, Source("test"))])
    status = node_status(resolve(objects).nodes[0], "v1.37.2", 1, "now")

    assert ("251", "251") == (status["capacity"]["pods"], status["allocatable"]["pods"])
