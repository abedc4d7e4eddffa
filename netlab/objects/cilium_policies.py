"""The plain part of Cilium's policies as values: labels, entities, CIDRs and ports.

Source: Cilium documentation, "Layer 3 Policies", "Layer 4 Policies", "Deny Policies" and "Policy Enforcement Modes".
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from netlab.frozen import frozen
from netlab.objects.cluster_policies import PodsPeer
from netlab.objects.policies import IPBlock, PolicyPort
from netlab.objects.types import Direction, Meta, Source

Place = Literal["", "everywhere", "nodes", "world"]
"""Peers by their place: every address, the addresses of nodes, or what is neither a pod nor a node."""


@frozen
class CiliumPeer:
    """One peer of a rule; exactly one field is set.

    - ``pods``: pods by their labels. Host-network pods are never among them.
    - ``block``: addresses that are neither of pods nor of nodes, unless ``spec.policy`` says otherwise.
    - ``place``: what an entity stands for.
    """

    pods: PodsPeer | None = None
    block: IPBlock | None = None
    place: Place = ""


@frozen
class CiliumRule:
    """A rule of a direction; without ``ports`` it is about every port and protocol, ICMP too.

    ``denies``: it is of ``ingressDeny`` or ``egressDeny``. A rule without peers matches nothing.
    """

    denies: bool
    peers: tuple[CiliumPeer, ...] = ()
    ports: tuple[PolicyPort, ...] = ()
    path: str = ""
    line: int = 0


@frozen
class CiliumSpec:
    """``spec``, or one item of ``specs``: the pods, the rules, and the directions in which it isolates the pods."""

    subject: PodsPeer
    isolates: frozenset[Direction]
    ingress: tuple[CiliumRule, ...] = ()
    egress: tuple[CiliumRule, ...] = ()
    path: str = "spec"

    def rules(self, direction: Direction) -> tuple[CiliumRule, ...]:
        """Return the rules of a direction, in their order."""
        return self.ingress if direction == "ingress" else self.egress


@frozen
class CiliumPolicy:
    """A CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy that netlab understands as a whole."""

    meta: Meta
    kind: str
    specs: tuple[CiliumSpec, ...]
    source: Source = field(default_factory=Source, compare=False)

    @property
    def ref(self) -> str:
        """The kind, the namespace and the name, as messages write them."""
        return f"{self.kind} {self.meta.key}"
