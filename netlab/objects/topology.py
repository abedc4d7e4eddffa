"""Topology as a value: a lab's networks, nodes, outside hosts, and settings of policy that Kubernetes leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Literal

from netlab import modes
from netlab.frozen import frozen
from netlab.modes.wiring import NOTHING, Wiring
from netlab.objects.types import Address, Prefix, Source

if TYPE_CHECKING:
    from netlab.cni.conflist import Conflist
    from netlab.objects.links import TopologyLink

LOOPBACK_ONLY = modes.NONE.name
"""The value of the annotation ``netlab/network`` for a pod with a loopback interface only."""


@frozen
class TopologyNetwork:
    """One network of a Topology; ``pod_cidrs`` has at most one prefix per IP family.

    ``unwritten`` has the fields that the input leaves out (``mode``, ``podCIDRs``). ``resolve`` chooses their values.
    ``wiring`` has the choices that the input or a profile makes, and ``profile`` the name of a profile that wires it.
    ``conflist`` has the plugins that make the pods' links, in the mode for that.
    ``families`` are the IP families that pods can have.
    """

    name: str = "default"
    mode: str = modes.ONE_NODE
    pod_cidrs: tuple[Prefix, ...] = (IPv4Network("10.244.0.0/16"),)
    path: str = "spec.networks[0]"
    unwritten: frozenset[str] = frozenset()
    wiring: Wiring = NOTHING
    profile: str = ""
    conflist: Conflist | None = None
    families: tuple[int, ...] = (4, 6)

    @property
    def traits(self) -> modes.Mode:
        """The traits of its mode with the choices of ``wiring``, under the name ``profile`` if that is given."""
        if self.conflist is not None:
            return _traits_of_plugins(self.conflist, self.wiring)
        return modes.wired(modes.of(self.mode), self.wiring, self.profile)


def _traits_of_plugins(conflist: Conflist, wiring: Wiring) -> modes.Mode:
    """Return the traits of a network whose links plugins make; ``wiring`` says how, where netlab does not know."""
    from netlab.modes import cni

    return cni.of_plugins(
        wiring.attachment or cni.attachment_of(conflist.kind) or modes.ONE_NODE,
        takes_range=conflist.takes_range,
        masquerades=conflist.masquerades,
        gateway=conflist.has_gateway,
        default_route=conflist.has_default_route,
        publishes=conflist.publishes,
    )


@frozen
class TopologyNode:
    """One node of a Topology; ``machine`` has it where a lab is on many machines, "" for any."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    machine: str = ""


@frozen
class TopologyHost:
    """A machine outside the cluster, on the underlay; DNS of the cluster answers ``hostnames`` with its addresses.

    ``machine`` has it where a lab is on many machines, "" for the first one.
    """

    name: str
    addresses: tuple[Address, ...]
    path: str = ""
    hostnames: tuple[str, ...] = ()
    machine: str = ""


Enforcement = Literal["all", "none"]
Icmp = Literal["rules-without-ports", "allow", "basic-always"]
Sctp = Literal["judge", "drop"]
Deny = Literal["drop", "reject"]
RejectWith = Literal["admin-prohibited", "port-unreachable", "tcp-reset"]
IpBlockPods = Literal["match", "ignore"]
IpBlockNodes = Literal["match", "ignore"]
OwnNode = Literal["allow", "enforce"]
HostNetworkPeers = Literal["ignore", "match"]
Established = Literal["keep", "reevaluate"]
Hairpin = Literal["subject", "exempt", "unwired"]
NodePorts = Literal["judge", "exempt"]
NamedPorts = Literal["resolve", "refuse-policy", "whole-protocol", "skip-on-conflict"]
EndPort = Literal["honour", "first-only"]
Except = Literal["per-peer", "per-rule", "longest-prefix"]
Directions = Literal["both", "ingress-only"]
Selectors = Literal["labels", "segment-label"]
Isolation = Literal["policies", "annotated-namespaces"]
Multicast = Literal["judge", "allow"]
Unpublished = Literal["open", "drop"]
ServiceEgress = Literal["post-dnat", "pre-dnat"]
Baseline = Literal["per-direction", "unselected-pods"]
BaselineAdmin = Literal["first", "last"]
ClusterPolicies = Literal["all", "cluster-network-policy", "admin-network-policy", "none"]


@frozen
class TopologyPolicy:
    """Behaviour of policies that Kubernetes leaves to the implementation: ``spec.policy`` of a Topology.

    ``enforcement`` (``enforcement``): with ``none``, nothing enforces policies.

    ``icmp`` (``icmp``): with ``rules-without-ports``, ICMP is allowed by rules without ports only, as such a rule
    allows every protocol; with ``allow``, all ICMP is allowed; with ``basic-always``, echo requests, unreachable and
    time exceeded always pass, and for IPv6 neighbour discovery and echo replies.

    ``sctp`` (``sctp``): with ``judge``, policies judge SCTP; with ``drop``, all SCTP of pods is dropped.

    ``deny`` (``deny``): ``drop`` drops denied packets; ``reject`` answers them with ICMP "administratively
    prohibited", so that clients fail at once. The verdict is deny in both cases.

    ``reject_with`` (``rejectWith``): what ``reject`` answers: ICMP "administratively prohibited", ICMP "port
    unreachable", or a reset to TCP and "port unreachable" to all else.

    ``ip_block_pods`` (``ipBlockPods``): with ``match``, an ipBlock matches all addresses in it, those of pods too; with
    ``ignore``, it does not match addresses of pods, so that only selectors do.

    ``ip_block_nodes`` (``ipBlockNodes``): with ``ignore``, an ipBlock does not match addresses of nodes.

    ``own_node`` (``ownNode``): with ``allow``, a pod may always send to its own node, as the first section of the
    documentation says; with ``enforce``, the pod's egress policy applies, as its section on isolation says, which
    exempts ingress only. A node may always send to its own pods.

    ``host_network_peers`` (``hostNetworkPeers``): with ``ignore``, selectors of peers match no host-network pods; with
    ``match``, they match them by their node's addresses, and so all of that node. No policy selects a host-network pod
    as its subject.

    ``established`` (``established``): with ``keep``, an allowed connection stays open when policies change; with
    ``reevaluate``, the policies in force judge every packet, replies too. A connection that they no longer allow stops
    at the change, and continues when they allow it again. Each packet then takes the look-ups that with ``keep`` only
    the first one takes.

    ``hairpin`` (``hairpin``): a pod that reaches itself through a Service; with ``subject``, the pod's policies apply;
    with ``exempt``, they do not; with ``unwired``, its packets are lost.

    ``node_ports`` (``nodePorts``): with ``exempt``, egress policies do not judge packets to the own node's node ports,
    cluster IPs and addresses of load balancers.

    ``named_ports`` (``namedPorts``): with ``resolve``, a name is each destination pod's port of that name; with
    ``refuse-policy``, a policy with a named port is refused, so it does not isolate; with ``whole-protocol``, a named
    port is every port of the protocol; with ``skip-on-conflict``, an egress rule is skipped where the peers' ports of
    the name have different numbers.

    ``end_port`` (``endPort``): with ``first-only``, ``endPort`` is not read.

    ``except_`` (``except``): which ipBlocks an exception is subtracted from: with ``per-peer`` from its own; with
    ``per-rule`` from all of the rule; with ``longest-prefix`` the longest of all prefixes and exceptions decides.

    ``directions`` (``directions``): with ``ingress-only``, policies do not judge egress.

    ``selectors`` (``selectors``): with ``segment-label``, selectors read the label ``romana.io/segment`` only.

    ``isolation`` (``isolation``): with ``annotated-namespaces``, only namespaces with the annotation of the old beta
    API (``net.beta.kubernetes.io/network-policy``, ``DefaultDeny``) are isolated, on ingress.

    ``multicast`` (``multicast``): with ``allow``, packets to multicast addresses always pass.

    ``unpublished`` (``unpublished``): with ``drop``, packets from outside of a pod's network reach only published
    ports.

    ``service_egress`` (``serviceEgress``): with ``pre-dnat``, egress policies judge the Service's address and port.

    ``baseline`` (``baseline``): where the tier Baseline of cluster-wide policies is asked; with ``per-direction``, in
    each direction of a pod in which no NetworkPolicy isolates it; with ``unselected-pods``, for pods that no
    NetworkPolicy isolates in any direction, so a pod with ingress rules only may send everything.

    ``baseline_admin`` (``baselineAdmin``): whether the BaselineAdminNetworkPolicy, which has no priority, decides
    before (``first``) or after (``last``) all ClusterNetworkPolicies of the tier Baseline.

    ``cluster_policies`` (``clusterPolicies``): which kinds of cluster-wide policies are read; with
    ``admin-network-policy``, AdminNetworkPolicy and BaselineAdminNetworkPolicy. Policies of other kinds have no effect.

    ``written`` has the attributes that the input writes; a profile does not change them.
    """

    enforcement: Enforcement = "all"
    icmp: Icmp = "rules-without-ports"
    sctp: Sctp = "judge"
    deny: Deny = "drop"
    reject_with: RejectWith = "admin-prohibited"
    ip_block_pods: IpBlockPods = "match"
    ip_block_nodes: IpBlockNodes = "match"
    own_node: OwnNode = "allow"
    host_network_peers: HostNetworkPeers = "ignore"
    established: Established = "keep"
    hairpin: Hairpin = "subject"
    node_ports: NodePorts = "judge"
    named_ports: NamedPorts = "resolve"
    end_port: EndPort = "honour"
    except_: Except = "per-peer"
    directions: Directions = "both"
    selectors: Selectors = "labels"
    isolation: Isolation = "policies"
    multicast: Multicast = "judge"
    unpublished: Unpublished = "open"
    service_egress: ServiceEgress = "post-dnat"
    baseline: Baseline = "per-direction"
    baseline_admin: BaselineAdmin = "first"
    cluster_policies: ClusterPolicies = "all"
    written: frozenset[str] = field(default=frozenset(), compare=False)


@frozen
class Topology:
    """A lab's networks, nodes and hosts; fields that the input leaves out have their defaults.

    ``unwritten`` has the fields that the input leaves out (``underlayCIDRs``, ``serviceCIDRs``,
    ``loadBalancerCIDRs``). ``resolve`` chooses their values. The fields after it are those of ``Cluster``, but
    ``profile`` is the name of a profile, "" for none.
    """

    name: str = "default"
    networks: tuple[TopologyNetwork, ...] = (TopologyNetwork(unwritten=frozenset({"mode", "podCIDRs"})),)
    nodes: tuple[TopologyNode, ...] = ()
    hosts: tuple[TopologyHost, ...] = ()
    underlay_cidrs: tuple[Prefix, ...] = (IPv4Network("100.64.0.0/16"), IPv6Network("fd00:100:64::/64"))
    source: Source = field(default_factory=Source, compare=False)
    policy: TopologyPolicy = TopologyPolicy()
    unwritten: frozenset[str] = frozenset({"underlayCIDRs", "serviceCIDRs", "loadBalancerCIDRs"})
    service_cidrs: tuple[Prefix, ...] = (IPv4Network("10.96.0.0/16"), IPv6Network("fd00:10:96::/112"))
    load_balancer_cidrs: tuple[Prefix, ...] = (IPv4Network("198.18.0.0/24"), IPv6Network("fd00:198:18::/112"))
    node_ports: tuple[int, int] = (30000, 32767)
    cluster_domain: str = "cluster.local"
    dns: bool = True
    profile: str = ""
    links: tuple[TopologyLink, ...] = ()
