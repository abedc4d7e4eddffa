"""The cluster as a value: its networks, nodes, hosts, pods and policies, with nodes and addresses assigned.

``netlab.cluster.resolve`` makes it from objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netlab import modes
from netlab.frozen import frozen, frozen_with_cache
from netlab.objects.kind import template_of
from netlab.objects.policies import NetworkPolicy
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Address, ContainerPort, DnsConfig, DnsPolicy, HostAlias, Prefix, Source

if TYPE_CHECKING:
    from netlab.cni.conflist import Conflist
    from netlab.objects.cilium_policies import CiliumPolicy
    from netlab.objects.cluster_policies import ClusterPolicy
    from netlab.objects.ingresses import Ingress, IngressClass, TlsSecret
    from netlab.objects.links import Netem
    from netlab.objects.profiles import Profile
    from netlab.objects.services import Endpoints, EndpointSlice, Service
    from netlab.objects.unread import UnreadPolicy


@frozen
class Network:
    """One pod network: its mode, and at most one prefix per IP family; ``traits`` are by default those of the mode.

    A profile, or the wiring that a Topology writes, has other traits under the name ``mode``. ``conflist`` has the
    plugins that make the pods' links.
    """

    name: str
    mode: str
    pod_cidrs: tuple[Prefix, ...]
    traits: modes.Mode = field(default=modes.UNNAMED, repr=False)
    conflist: Conflist | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "traits", modes.named(self.mode, self.traits))


@frozen
class Node:
    """One node: its addresses on the underlay, and the prefixes of its pods' addresses by network name.

    If the transport has no ranges of nodes, the prefix is the network's whole podCIDR, the same on every node. If it
    has routes to single pods, an exported pod may have an address that is in no node's prefix.
    ``stopped``: ``netlab node stop`` cut the node and its pods off, and nothing reaches them.
    """

    name: str
    labels: Mapping[str, str]
    addresses: tuple[Address, ...]
    pod_cidrs: Mapping[str, tuple[Prefix, ...]]
    stopped: bool = False
    ref: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", f"node:{self.name}")

    def holds(self, network: str, address: Address) -> bool:
        """Say whether an address is in one of the node's prefixes of a network."""
        return any(address.version == p.version and address in p for p in self.pod_cidrs[network])


@frozen
class Host:
    """A machine outside the cluster, on the underlay. The lab's DNS answers ``hostnames`` with its addresses."""

    name: str
    addresses: tuple[Address, ...]
    hostnames: tuple[str, ...] = ()
    ref: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", f"host:{self.name}")


@frozen
class Pod:
    """One pod of the lab.

    ``addresses`` has at most one per IP family: the pod's own, or in host mode its node's; mode none has none.
    ``attachment`` is the name of its mode: the network's, host or none. ``traits`` are those of its network.
    ``network`` is "" in host and none mode. ``workload`` is ``KIND NAMESPACE/NAME``, "" for a pod without one. ``ref``
    is the name in reports; it is a field, as it is used several times a pair.

    ``ready`` and ``terminating`` are from the status of an exported pod; all other pods are ready. ``system``: netlab
    added the pod, so commands ask about it only with ``--system``. ``hostname``, ``subdomain`` and the DNS fields are
    those of its spec.
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
    ready: bool = True
    terminating: bool = False
    system: bool = False
    hostname: str = ""
    subdomain: str = ""
    dns_policy: DnsPolicy = "ClusterFirst"
    dns_config: DnsConfig | None = None
    host_aliases: tuple[HostAlias, ...] = ()
    traits: modes.Mode = field(default=modes.UNNAMED, repr=False)
    ref: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", f"{self.namespace}/{self.name}")
        object.__setattr__(self, "traits", modes.named(self.attachment, self.traits))

    @property
    def selectable(self) -> bool:
        """Whether selectors of policies and peers can match the pod: not a host-network pod, nor one in mode none."""
        return self.traits.attachment.on_network

    @property
    def host_network(self) -> bool:
        """Whether the pod is in its node's network namespace."""
        return self.traits.attachment.host_network

    @property
    def loopback_only(self) -> bool:
        """Whether the pod has a loopback interface only, and so reaches no other endpoint."""
        return self.traits.attachment.loopback_only


def _rank(pod: Pod) -> tuple[int, int]:
    """Return the sort key for the first pod of the workloads of one name: by kind, then by ordinal."""
    template = template_of(pod.workload.split(" ", 1)[0])
    ordinal = pod.name.rpartition("-")[2] if template.stable_names else ""
    return template.rank, int(ordinal) if ordinal.isdecimal() else 0


Endpoint = Pod | Node | Host


def address_of(endpoint: Endpoint, family: int) -> Address | None:
    """Return the endpoint's address of an IP family (4 or 6), None if it has none."""
    for address in endpoint.addresses:
        if address.version == family:
            return address
    return None


@frozen
class Placement:
    """The node and the addresses of a pod that runs; ``resolve`` takes them to keep a running lab as it is."""

    node: str
    addresses: tuple[Address, ...] = ()


@frozen
class ImpairedLink:
    """What happens to packets between two machines, or to all packets of one machine or pod; ``ends`` are references.

    It is the same in both directions.
    """

    ends: tuple[str, ...]
    netem: Netem


@frozen_with_cache
class Cluster:
    """Everything that a lab is made from. Tuples are sorted by name (pods by namespace, then name).

    - ``finished``: references of pods that have finished; ``finished_workloads``: ``NAMESPACE/NAME`` of workloads.
    - ``renamed``: workloads (``KIND NAMESPACE/NAME``) whose pods have other names than ``NAME-…``.
    - ``undeclared``: namespaces that objects use and the input does not declare. Their other labels are unknown.
    - ``unread``: policies that netlab does not read. It does not enforce them, but verdicts may depend on them.
    - ``services``: with addresses and node ports allocated.
    - ``slices``, ``endpoints``: the EndpointSlices and Endpoints of the input. Services without a selector use them.
    - ``service_cidrs``: at most one per IP family, in the order of the default network's families. Only nodes have a
      route to them.
    - ``load_balancer_cidrs``: the ranges of load balancers' addresses. Every machine has routes to used addresses.
    - ``node_ports``: the lowest and the highest port of ``nodePortRange``.
    - ``dns``: whether the lab answers DNS.
    - ``links``: links that delay, lose or limit packets.
    - ``profile``: the CNI whose behaviour the lab has; None: what the documentation of Kubernetes says.
    - ``cluster_policies``: the cluster-wide policies of all tiers, by name.
    - ``understood``: the policies of Cilium that netlab understands, if the profile is one of Cilium.
    - ``cluster_policies_not_read``: those of kinds that the setting ``clusterPolicies`` leaves out; without effect.
    - ``isolated_namespaces``: those that an annotation isolates; empty unless ``spec.policy.isolation`` reads it.
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
    slices: tuple[EndpointSlice, ...] = ()
    endpoints: tuple[Endpoints, ...] = ()
    ingresses: tuple[Ingress, ...] = ()
    ingress_classes: tuple[IngressClass, ...] = ()
    tls_secrets: tuple[TlsSecret, ...] = ()
    service_cidrs: tuple[Prefix, ...] = ()
    load_balancer_cidrs: tuple[Prefix, ...] = ()
    node_ports: tuple[int, int] = (30000, 32767)
    cluster_domain: str = "cluster.local"
    dns: bool = True
    profile: Profile | None = None
    isolated_namespaces: frozenset[str] = frozenset()
    links: tuple[ImpairedLink, ...] = ()
    cluster_policies: tuple[ClusterPolicy, ...] = ()
    understood: tuple[UnreadPolicy, ...] = ()
    cluster_policies_not_read: tuple[ClusterPolicy, ...] = ()

    def asked_pods(self, system: bool = False) -> tuple[Pod, ...]:
        """Return the pods that commands ask about by default; with ``system`` also those that netlab added."""
        return self.pods if system else self._pods_of_input

    @cached_property
    def cilium_policies(self) -> tuple[CiliumPolicy, ...]:
        """The policies of Cilium that the cluster enforces."""
        return tuple(one.cilium for one in self.understood if one.cilium is not None)

    @cached_property
    def _pods_of_input(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.pods if not pod.system)

    @cached_property
    def stopped_nodes(self) -> frozenset[str]:
        """The names of the nodes that are stopped."""
        return frozenset(node.name for node in self.nodes if node.stopped)

    @cached_property
    def by_ref(self) -> Mapping[str, Endpoint]:
        """Every endpoint by its reference: ``NAMESPACE/POD``, ``node:NAME``, ``host:NAME``."""
        endpoints: tuple[Endpoint, ...] = (*self.pods, *self.nodes, *self.hosts)
        return {e.ref: e for e in endpoints}

    @cached_property
    def by_address(self) -> Mapping[Address, Endpoint]:
        """Every endpoint by its address; a node's address is the node's, not that of its host-network pods."""
        endpoints: tuple[Endpoint, ...] = (*self.pods, *self.hosts, *self.nodes)
        return {a: e for e in endpoints for a in e.addresses}

    @cached_property
    def memo(self) -> dict[str, Any]:
        """A cache for functions of the cluster, by ``ROOM.NAME``; it lives as long as the cluster."""
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
        return iter(self._pods_by_node.get(node, ()))

    @cached_property
    def _pods_by_node(self) -> Mapping[str, Sequence[Pod]]:
        found: dict[str, list[Pod]] = {}
        for pod in self.pods:
            found.setdefault(pod.node, []).append(pod)
        return found
