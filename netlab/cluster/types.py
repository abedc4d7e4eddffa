"""The cluster that the objects describe, with everything decided: pods, their nodes, their addresses.

A value: it knows no kernel. ``netlab.cluster.resolve`` makes one; the same input always makes the same one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netlab import modes
from netlab.frozen import frozen, frozen_with_cache
from netlab.objects.kind import template_of
from netlab.objects.policies import NetworkPolicy
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Address, ContainerPort, Prefix, Service, Source

if TYPE_CHECKING:
    from netlab.objects.unread import UnreadPolicy


@frozen
class Network:
    """One pod network: its mode and at most one prefix per IP family; ``traits`` are what the mode means."""

    name: str
    mode: str
    pod_cidrs: tuple[Prefix, ...]
    traits: modes.Mode = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "traits", modes.of(self.mode))


@frozen
class Node:
    """One node: its addresses on the underlay and, per network name, the prefixes that its pods' addresses come from.

    Where nodes have no ranges of their own, a node's prefix is the network's whole podCIDR: it repeats on every node.
    Where routes lead to single pods, a pod whose address a cluster gave may have one that is of no node's prefix.
    """

    name: str
    labels: Mapping[str, str]
    addresses: tuple[Address, ...]
    pod_cidrs: Mapping[str, tuple[Prefix, ...]]
    ref: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", f"node:{self.name}")

    def holds(self, network: str, address: Address) -> bool:
        """Say whether an address is of the node's prefixes of a network."""
        return any(address.version == p.version and address in p for p in self.pod_cidrs[network])


@frozen
class Host:
    """A machine outside the cluster, on the underlay."""

    name: str
    addresses: tuple[Address, ...]
    ref: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", f"host:{self.name}")


@frozen
class Pod:
    """One pod that takes part in the lab.

    ``addresses`` has at most one per family: the pod's own; its node's in host mode; none in mode none.
    ``attachment`` is the name of its mode: that of its network, host or none; ``traits`` are what the mode means.
    ``network`` is "" in host and none mode. ``workload`` is ``KIND NAMESPACE/NAME``, or "" for a bare Pod. ``ref`` is
    what reports call it; like those of nodes and hosts it is kept, as it is asked for several times a pair.
    """

    namespace: str
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    node: str
    attachment: str
    network: str
    addresses: tuple[Address, ...]
    ports: tuple[ContainerPort, ...] = ()
    workload: str = ""
    source: Source = field(default_factory=Source, compare=False)
    ref: str = field(init=False, repr=False, compare=False)
    traits: modes.Mode = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", f"{self.namespace}/{self.name}")
        object.__setattr__(self, "traits", modes.of(self.attachment))

    @property
    def selectable(self) -> bool:
        """Whether a selector, a policy's or a peer's, can mean this pod: host-network pods are never meant."""
        return self.traits.attachment.on_network

    @property
    def host_network(self) -> bool:
        """Whether the pod lives in its node's network namespace."""
        return self.traits.attachment.host_network

    @property
    def loopback_only(self) -> bool:
        """Whether the pod has a loopback interface only, and so no way to anybody."""
        return self.traits.attachment.loopback_only


def _rank(pod: Pod) -> tuple[int, int]:
    """Return how early a pod comes among those of the workloads of one name; of equal ones the names decide."""
    template = template_of(pod.workload.split(" ", 1)[0])
    ordinal = pod.name.rpartition("-")[2] if template.stable_names else ""
    return template.rank, int(ordinal) if ordinal.isdecimal() else 0


Endpoint = Pod | Node | Host


def address_of(endpoint: Endpoint, family: int) -> Address | None:
    """Return the endpoint's address of an IP family (4 or 6), None when it has none."""
    for address in endpoint.addresses:
        if address.version == family:
            return address
    return None


@frozen
class Placement:
    """Where a pod runs already: its node and its addresses. What ``resolve`` takes to keep a running lab as it is."""

    node: str
    addresses: tuple[Address, ...] = ()


@frozen_with_cache
class Cluster:
    """Everything a lab is made from. Tuples are sorted by name (pods by namespace, then name).

    ``renamed`` are the workloads (``KIND NAMESPACE/NAME``) whose pods have other names than ``NAME-…``. ``undeclared``
    are the namespaces that are used and not in the input: which labels they have besides their name is not known.
    ``unread`` are the policies that netlab does not read: nothing enforces them, but verdicts depend on them.
    """

    name: str
    networks: tuple[Network, ...]
    nodes: tuple[Node, ...]
    hosts: tuple[Host, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    pods: tuple[Pod, ...]
    policies: tuple[NetworkPolicy, ...]
    services: tuple[Service, ...] = ()
    underlay_cidrs: tuple[Prefix, ...] = ()
    finished: tuple[str, ...] = ()
    finished_workloads: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    undeclared: frozenset[str] = frozenset()
    policy: TopologyPolicy = field(default_factory=TopologyPolicy)
    unread: tuple[UnreadPolicy, ...] = ()

    @cached_property
    def by_ref(self) -> Mapping[str, Endpoint]:
        """Every endpoint by its reference: ``NAMESPACE/POD``, ``node:NAME``, ``host:NAME``."""
        everyone: tuple[Endpoint, ...] = (*self.pods, *self.nodes, *self.hosts)
        return {e.ref: e for e in everyone}

    @cached_property
    def by_address(self) -> Mapping[Address, Endpoint]:
        """Every endpoint by its address; a node's address means the node, not its host-network pods."""
        everyone: tuple[Endpoint, ...] = (*self.pods, *self.hosts, *self.nodes)
        return {a: e for e in everyone for a in e.addresses}

    @cached_property
    def memo(self) -> dict[str, Any]:
        """Scratch space for the rooms above: what they derived from this value, kept as long as the value lives."""
        return {}

    @cached_property
    def by_workload(self) -> Mapping[str, Pod]:
        """The first pod of every workload, by ``NAMESPACE/WORKLOAD``."""
        first: dict[str, Pod] = {}
        for pod in self.pods:
            if pod.workload:
                name = pod.workload.split(" ", 1)[1]
                before = first.setdefault(name, pod)
                if before is not pod and _rank(pod) < _rank(before):
                    first[name] = pod
        return first

    @cached_property
    def families(self) -> tuple[int, ...]:
        """The IP families in use by the pod networks, ascending."""
        return tuple(sorted({p.version for n in self.networks for p in n.pod_cidrs}))

    def network(self, name: str) -> Network:
        return self._networks_by_name[name]

    def node(self, name: str) -> Node:
        return self._nodes_by_name[name]

    @cached_property
    def _networks_by_name(self) -> Mapping[str, Network]:
        return {n.name: n for n in self.networks}

    @cached_property
    def _nodes_by_name(self) -> Mapping[str, Node]:
        return {n.name: n for n in self.nodes}

    def pods_on(self, node: str) -> Iterator[Pod]:
        return (p for p in self.pods if p.node == node)
