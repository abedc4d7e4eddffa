"""Random settings of policy on random wiring with Services: every way to a verdict gives the same one.

Packets, evaluator, groups and expansion answer about each front of each Service, and about pods, nodes and hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, get_args, get_type_hints

import pytest
from services.random_clusters import MODES, documents
from services.test_random_clusters import differences
from settings.random_settings import differing_in
from sizes import samples

from netlab.cluster import resolve
from netlab.cluster.flows import FlowSelection
from netlab.conformance.shorthand import document
from netlab.errors import InputError
from netlab.lab.lab import Lab
from netlab.objects import Document, Objects, decode
from netlab.objects.topology import TopologyPolicy
from netlab.objects.topology_shapes import PolicyShape

_VALUES = {
    one.name: get_args(get_type_hints(TopologyPolicy)[attribute]) for attribute, one in PolicyShape.attributes().items()
}
_WIRING: dict[str, tuple[Any, ...]] = {
    "attachment": ("bridge", "routed"),
    # A node sends no packet back by the link that all nodes share (flat-vxlan), so some answers are lost there.
    "transport": ("none", "routes", "vxlan"),
    "masquerade": ("none", "outside", "outside-and-nodes"),
    "outsideRoutes": (True, False),
    "remoteNodeSource": ("node", "tunnel", "bridge"),
    "prefixLength": ("single", "node"),
}
_ASKED = (
    FlowSelection((("TCP", 80), ("UDP", 81), ("SCTP", 80), ("TCP", 30101), ("ICMP", None)), nodes=True),
    FlowSelection(nodes=True, self_pairs=True, services=True),
)
SEEDS = range(8)


def cluster_objects(seed: int, name: str) -> Objects:
    """Return the objects of a random cluster with all settings drawn, and the first drawn wiring that fits."""
    rng = Random(f"wiring-{seed}")  # noqa: S311
    written = documents(seed, MODES[seed % 3], name)
    source = document("Pod", "x/y").source
    spec = written[0]["spec"]
    spec["policy"] = {field: rng.choice(values) for field, values in _VALUES.items()}
    spec["policy"] |= {"enforcement": "all", "directions": "both"}
    for wiring in _wirings(rng):
        spec["networks"][0]["wiring"] = wiring
        found, problems = decode([Document(data, source) for data in written])
        if any(one.severity == "error" for one in problems):
            continue
        try:
            resolve(found)
        except InputError:
            continue
        return found
    raise AssertionError("unreachable")


def _wirings(rng: Random) -> Iterator[dict[str, Any]]:
    for _ in range(200):
        yield {field: rng.choice(values) for field, values in _WIRING.items() if rng.random() < 0.6}
    yield {}


@pytest.mark.parametrize("seed", range(samples(40)))
def test_the_fast_versions_agree_with_the_evaluator(seed: int) -> None:
    """The groups and the expansion, reasons included."""
    cluster = resolve(cluster_objects(seed, "wiring"))

    assert [] == [text for asked in _ASKED for text in differing_in(cluster, asked)]


@pytest.mark.kernel
@pytest.mark.parametrize("seed", SEEDS)
def test_packets_agree(unique: Callable[[str], str], seed: int) -> None:
    """Through every front, from every pod, node and outside host; nothing is inconclusive."""
    with Lab.temporary(cluster_objects(seed, unique("wiring"))) as lab:
        assert [] == differences(lab)
