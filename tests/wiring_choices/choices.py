"""Choices of wiring, value by value, and random policies under them for all judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from netlab.conformance import random_cases
from netlab.conformance.base_cluster import HOST, topology
from netlab.conformance.cases import Case, Cell, Stage
from netlab.conformance.disagreements import disagreements
from netlab.conformance.dual_stack import dual_stack
from netlab.conformance.judges import Judge
from netlab.conformance.shorthand import block, document, policy, rule
from netlab.objects.types import Document

Wiring = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """A mode, the choices of ``spec.networks[0].wiring``, and settings of ``spec.policy``."""

    mode: str
    wiring: Wiring = field(default_factory=dict)
    policy: Mapping[str, str] = field(default_factory=dict)


CHOICES = {
    "none, overlay": Choice("overlay", {"masquerade": "none", "outsideRoutes": True}),
    "outside, overlay": Choice("overlay", {"masquerade": "outside"}),
    "outside, routed": Choice("routed", {"masquerade": "outside"}),
    "outside-and-nodes, routed": Choice("routed", {"masquerade": "outside-and-nodes"}),
    "outside-and-nodes, routed without routes outside": Choice(
        "routed", {"masquerade": "outside-and-nodes", "outsideRoutes": False}
    ),
    "outside-and-nodes, veth and vxlan": Choice(
        "overlay", {"attachment": "routed", "transport": "vxlan", "masquerade": "outside-and-nodes"}
    ),
    "routes outside, bridge": Choice("bridge", {"outsideRoutes": True}),
    "routes outside, overlay": Choice("overlay", {"outsideRoutes": True}),
    "tunnel, overlay": Choice("overlay", {"remoteNodeSource": "tunnel", "outsideRoutes": True}),
    "tunnel, veth and vxlan": Choice(
        "overlay", {"attachment": "routed", "masquerade": "outside", "remoteNodeSource": "tunnel"}
    ),
    "bridge, overlay": Choice("overlay", {"remoteNodeSource": "bridge"}),
    "bridge, bridge and routes": Choice("bridge", {"transport": "routes", "remoteNodeSource": "bridge"}),
    "bridge, flat VXLAN": Choice("overlay", {"transport": "flat-vxlan", "remoteNodeSource": "bridge"}),
    "unpublished drop, bridge": Choice("bridge", {"outsideRoutes": True}, {"unpublished": "drop"}),
    "unpublished drop, overlay": Choice(
        "overlay", {"remoteNodeSource": "tunnel", "outsideRoutes": True}, {"unpublished": "drop"}
    ),
    "unpublished drop, routed": Choice("routed", {}, {"unpublished": "drop", "established": "reevaluate"}),
    "tunnel, host-network peers": Choice(
        "overlay", {"remoteNodeSource": "tunnel"}, {"hostNetworkPeers": "match", "ipBlockPods": "ignore"}
    ),
    "tunnel, blocks ignore nodes": Choice("overlay", {"remoteNodeSource": "tunnel"}, {"ipBlockNodes": "ignore"}),
}
"""Every value of ``masquerade``, ``outsideRoutes``, ``remoteNodeSource`` and ``unpublished``, with two nodes."""

# The underlay, node-2 there, on its tunnel and on its bridge, and the podCIDR, in both families.
_OF_NODES = (
    ("100.64.0.0/16", "fd00:100:64::/64"),
    ("100.64.0.2/32", "fd00:100:64::2/128"),
    ("10.244.1.0/32", "fd00:10:244:1::/128"),
    ("10.244.1.1/32", "fd00:10:244:1::1/128"),
    ("10.244.0.0/16", "fd00:10:244::/56"),
)
_PUBLISHED = {"name": "c", "ports": [{"containerPort": 80, "hostPort": 9090}]}
_MORE = (
    document("Pod", "z/pub", {"nodeName": "node-1", "containers": [_PUBLISHED]}, labels="app=p"),
    document("Pod", "z/host", {"nodeName": "node-2", "hostNetwork": True}, labels="app=q,tier=db"),
)
_PODS = ("x/a", "y/a", "z/pub")
_PORTS: tuple[tuple[str, int | None], ...] = (("TCP", 80), ("UDP", 53), ("ICMP", None))
_MACHINES = ("node:node-1", "node:node-2", "z/host", HOST)


def topology_of(choice: Choice) -> Document:
    """Return the suite's topology, on two nodes, with the choice."""
    usual = topology("overlay")
    spec = usual.data["spec"]
    network = {**spec["networks"][0], "mode": choice.mode, "wiring": dict(choice.wiring)}
    return replace(usual, data={**usual.data, "spec": {**spec, "networks": [network], "policy": dict(choice.policy)}})


def stage(choice: Choice, number: int, seed: int = 12) -> Stage:
    """Return a random cluster on two nodes with random policies, and questions about machines, in both families."""
    dice = Random(f"{seed}-{number}")  # noqa: S311
    usual = random_cases.stage(dice, "overlay")
    documents = (topology_of(choice), *(d for d in usual.documents if d.kind != "Topology"))
    both = dual_stack(Case("random", "random", (replace(usual, documents=(*documents, *_MORE)),)))
    (asked,) = both.stages
    more = tuple(_about_nodes(dice, i) for i in range(dice.randint(0, 2)))
    table: dict[Cell, str | None] = {**asked.table, **dict.fromkeys(_cells())}
    return Stage(f"{number}", (*asked.documents, *more), table)


def _about_nodes(dice: Random, number: int) -> Document:
    peers = [block(text) for text in dice.choice(_OF_NODES)]
    ports = dice.choice(([], ["80"], ["80", "53/UDP"]))
    ref = f"{dice.choice('xyz')}/nodes-{number}"
    return policy(ref, dice.choice(("", "app", "app=p")), ingress=[rule("ingress", peers, ports)])


def _cells() -> Iterator[Cell]:
    for family in (4, 6):
        for pod in _PODS:
            for machine in _MACHINES:
                for protocol, number in _PORTS:
                    yield Cell(machine, pod, protocol, number, family)
                    yield Cell(pod, machine, protocol, number, family)
        for source in ("x/a", "y/a", "z/pub", "z/host", HOST, "node:node-2"):
            yield Cell(source, "node:node-1", "TCP", 9090, family)


def disagreeing(choice: Choice, panel: Mapping[str, Judge], numbers: Sequence[int]) -> list[str]:
    """Return, as text, the cells of random stages on which judges disagree."""
    return [str(one) for number in numbers for one in disagreements(stage(choice, number), panel)]
