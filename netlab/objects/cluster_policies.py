"""Cluster-wide policies as values: ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy.

Source: network-policy-api v0.3.0, ``apis/v1beta1`` and ``apis/v1alpha2`` (equal), and v0.1.7, ``apis/v1alpha1``
(https://network-policy-api.sigs.k8s.io/api-overview/).
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from netlab.frozen import frozen
from netlab.objects.policies import PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Direction, Meta, Prefix, Source
from netlab.verdicts import Action

ClusterTier = Literal["Admin", "Baseline"]
"""The tiers of cluster-wide policies: ``Admin`` decides before NetworkPolicy, ``Baseline`` after it."""


CLUSTER_POLICIES = "policy.networking.k8s.io"
"""The API group of cluster-wide policies."""


def is_named(host: str, pattern: str) -> bool:
    """Say whether a name of ``domainNames`` stands for a host's name.

    ``*.`` stands for one or more labels. Case and a trailing dot do not count.
    """
    name, wanted = host.lower().rstrip("."), pattern.lower().rstrip(".")
    if not wanted.startswith("*."):
        return name == wanted
    return name.endswith(wanted[1:]) and name != wanted[1:]


@frozen
class PodsPeer:
    """Pods by the labels of their namespaces and their own; None matches every namespace, or every pod.

    Host-network pods are never among them.
    """

    namespaces: LabelSelector | None = None
    pods: LabelSelector | None = None

    def __str__(self) -> str:
        """Return the selectors as text: ``namespaces team=a``, or ``pods app=web of namespaces <all>``."""
        namespaces = f"namespaces {self.namespaces or LabelSelector()}"
        return namespaces if self.pods is None else f"pods {self.pods} of {namespaces}"


@frozen
class ClusterPeer:
    """One item of ``from`` or ``to``. Exactly one field is set.

    - ``pods``: pods, also for the field ``namespaces``.
    - ``networks``: destinations by their address, pods and nodes too. Host bits are masked.
    - ``nodes``: the addresses of the nodes with some labels.
    - ``domain_names``: outside hosts by their names; ``*.`` stands for one or more labels.
    """

    pods: PodsPeer | None = None
    networks: tuple[Prefix, ...] = ()
    nodes: LabelSelector | None = None
    domain_names: tuple[str, ...] = ()


@frozen
class ClusterRule:
    """One ingress or egress rule: its action for connections with some peer on some port.

    - ``name``: as written, "" without one.
    - ``peers``: never empty. ``ports``: empty for every protocol and port, ICMP too. A port whose ``port`` is a string
      is a container port's name on the destination, of any protocol (``protocol`` is not read).
    - ``path``: the rule's field path (``spec.ingress[0]``); ``line``: its line.
    """

    action: Action
    peers: tuple[ClusterPeer, ...]
    ports: tuple[PolicyPort, ...] = ()
    name: str = ""
    path: str = ""
    line: int = 0


@frozen
class ClusterPolicy:
    """A cluster-wide policy of any version.

    ``kind`` is the kind that was written. Of the rules of a direction, the first that matches decides.
    ``priority``: lower numbers decide first within a tier; 0 for a BaselineAdminNetworkPolicy. ``version`` is of the
    API, as ``v1beta1``; policies that differ in it alone are equal.
    """

    meta: Meta
    kind: str
    tier: ClusterTier
    priority: int
    subject: PodsPeer
    ingress: tuple[ClusterRule, ...] = ()
    egress: tuple[ClusterRule, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
    version: str = field(default="", compare=False)

    def rules(self, direction: Direction) -> tuple[ClusterRule, ...]:
        """Return the rules of a direction, in their order."""
        return self.ingress if direction == "ingress" else self.egress

    @property
    def ref(self) -> str:
        """The kind and the name, as messages write them."""
        return f"{self.kind} {self.meta.name}"
