"""What users write, as values: one frozen class per kind, with defaults applied and the lines that it came from.

Shapes follow the Kubernetes API reference (core/v1, apps/v1, batch/v1, networking.k8s.io/v1); names are those of the
API in snake case. Only the fields that netlab reads are here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from netlab import modes
from netlab.objects.selectors import LabelSelector

if TYPE_CHECKING:
    from netlab.objects.unread import UnreadPolicy

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network
Direction = Literal["ingress", "egress"]
Protocol = Literal["TCP", "UDP", "SCTP"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where an object stands: the file as the user named it, and the line of every field that was written.

    ``lines`` maps a field path relative to the object (``spec.ingress[0].from[1]``) to its line; "" is the object.
    """

    file: str = "<input>"
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def line(self, path: str = "") -> int:
        """Return the line of a field, or of the nearest parent that was written; 0 when nothing is known."""
        while path:
            if path in self.lines:
                return self.lines[path]
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return self.lines.get("", 0)


@dataclass(frozen=True, slots=True)
class Meta:
    """The part of ``metadata`` that netlab reads; ``namespace`` is "" for kinds that have none.

    ``owner`` is ``KIND NAME`` of the controller that made the object, "" when nothing did: exported pods have one.
    """

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""

    @property
    def key(self) -> str:
        """``NAMESPACE/NAME``, or the bare name for kinds without a namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Document:
    """One object as it was written: the plain data, after ``kind: List`` was unpacked, and where it stands.

    ``duplicates`` lists the fields that were written twice, with the line of the later one, which ``data`` holds.
    ``data`` is shared by whatever an alias repeats: treat it as immutable. ``memo`` keeps what was read out of it, so
    that an object which stays as it is while others change is read once.
    """

    data: Mapping[str, Any]
    source: Source
    duplicates: tuple[tuple[str, int], ...] = ()
    memo: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def kind(self) -> str:
        return str(self.data.get("kind", ""))


# --- networking.k8s.io/v1 -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IPBlock:
    """``ipBlock``: addresses in ``cidr`` that are in none of ``excepts``; host bits are already masked."""

    cidr: Prefix
    excepts: tuple[Prefix, ...] = ()

    def contains(self, address: Address) -> bool:
        """Say whether the block matches the address; a block of the other family never does."""
        if address.version != self.cidr.version or address not in self.cidr:
            return False
        return not any(address.version == e.version and address in e for e in self.excepts)


@dataclass(frozen=True, slots=True)
class Peer:
    """One item of ``from`` or ``to``: either ``ip_block`` alone, or one or both selectors (which AND).

    ``namespace_selector`` None means the policy's own namespace; ``pod_selector`` None means every pod.
    """

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


@dataclass(frozen=True, slots=True)
class PolicyPort:
    """One item of ``ports`` after defaulting: ``port`` None is every port, a string is a container port's name."""

    protocol: Protocol = "TCP"
    port: int | str | None = None
    end_port: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One ingress or egress rule; empty ``peers`` match every peer, empty ``ports`` every port and protocol.

    ``path`` is the rule's field path (``spec.ingress[0]``), ``line`` where it stands.
    """

    peers: tuple[Peer, ...] = ()
    ports: tuple[PolicyPort, ...] = ()
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """A NetworkPolicy after the API server's defaulting; ``policy_types`` holds the directions in which it isolates.

    Rules of a direction that is not in ``policy_types`` are kept (a warning names them) but have no effect: use
    ``rules(direction)``, which leaves them out.
    """

    meta: Meta
    pod_selector: LabelSelector
    policy_types: frozenset[Direction]
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    source: Source = field(default_factory=Source, compare=False)

    def isolates(self, direction: Direction) -> bool:
        return direction in self.policy_types

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """Return the rules that count in a direction; none where the policy does not isolate in it."""
        if direction not in self.policy_types:
            return ()
        return self.ingress if direction == "ingress" else self.egress


# --- core/v1, apps/v1, batch/v1 -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """One container port of a pod; ``name`` is "" when it has none, ``host_port`` 0 when it is not published."""

    port: int
    protocol: Protocol = "TCP"
    name: str = ""
    host_port: int = 0
    host_ip: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class PodSpec:
    """The part of a pod's spec that the network depends on; ``ports`` are those of all its containers in order."""

    node_name: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False
    ports: tuple[ContainerPort, ...] = ()


@dataclass(frozen=True, slots=True)
class Pod:
    """A Pod as written; an exported one's status states ``phase``, ``addresses`` and its node's ``host_addresses``."""

    meta: Meta
    spec: PodSpec
    phase: str = ""
    addresses: tuple[Address, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
    host_addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment, ReplicaSet, StatefulSet, DaemonSet, Job or the like: ``replicas`` pods of one template.

    ``replicas`` is None for a DaemonSet, which has one pod on every node that its selector admits.
    ``template_path`` is where the pod template stands in the object (``spec.template``). ``first`` is the number of the
    first pod (``ordinals.start``). Pods of an ``indexed`` Job are told their number; those of a Job with a
    ``manual_selector`` get none of the labels by which other Jobs know their pods.
    """

    kind: str
    meta: Meta
    replicas: int | None
    template_meta: Meta
    template: PodSpec
    template_path: str = "spec.template"
    source: Source = field(default_factory=Source, compare=False)
    first: int = 0
    indexed: bool = False
    manual_selector: bool = False


@dataclass(frozen=True, slots=True)
class Namespace:
    """A Namespace; its labels always hold ``kubernetes.io/metadata.name``.

    One that is used and not ``declared`` has other labels too on a cluster, which are not known.
    """

    meta: Meta
    source: Source = field(default_factory=Source, compare=False)
    declared: bool = True


@dataclass(frozen=True, slots=True)
class Node:
    """A Kubernetes Node: labels and podCIDRs for the Topology's node of that name, or a node of its own."""

    meta: Meta
    pod_cidrs: tuple[Prefix, ...] = ()
    addresses: tuple[Address, ...] = ()
    source: Source = field(default_factory=Source, compare=False)


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service; ``target_port`` is a number, a container port's name, or 0 for ``port`` itself."""

    port: int
    target_port: int | str = 0
    protocol: Protocol = "TCP"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A Service, as far as netlab reads it."""

    meta: Meta
    selector: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[ServicePort, ...] = ()
    cluster_ip: str = ""
    type: str = "ClusterIP"
    source: Source = field(default_factory=Source, compare=False)


# --- netlab/v1alpha1 ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TopologyNetwork:
    """One network of a Topology; ``pod_cidrs`` has at most one prefix per IP family.

    ``unwritten`` names the fields that nobody wrote (``mode``, ``podCIDRs``): what they hold yields to the input.
    """

    name: str = "default"
    mode: str = modes.ONE_NODE
    pod_cidrs: tuple[Prefix, ...] = (IPv4Network("10.244.0.0/16"),)
    path: str = "spec.networks[0]"
    unwritten: frozenset[str] = frozenset()

    @property
    def traits(self) -> modes.Mode:
        """What its mode means."""
        return modes.of(self.mode)


@dataclass(frozen=True, slots=True)
class TopologyNode:
    """One node of a Topology."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    path: str = ""


@dataclass(frozen=True, slots=True)
class TopologyHost:
    """A machine outside the cluster, on the underlay."""

    name: str
    addresses: tuple[Address, ...]
    path: str = ""


Icmp = Literal["rules-without-ports", "allow"]
Deny = Literal["drop", "reject"]
IpBlockPods = Literal["match", "ignore"]
OwnNode = Literal["allow", "enforce"]
HostNetworkPeers = Literal["ignore", "match"]
Established = Literal["keep", "reevaluate"]


@dataclass(frozen=True, slots=True)
class TopologyPolicy:
    """What policies do where Kubernetes leaves it to the implementation: ``spec.policy`` of a Topology.

    ``icmp`` (``icmp``): ``rules-without-ports`` lets ICMP through by rules that list no ports and by those only, as a
    rule without ports means every protocol; ``allow`` lets all ICMP pass, whatever the policies say.

    ``deny`` (``deny``): ``drop`` discards what is not allowed; ``reject`` answers it with ICMP "administratively
    prohibited", so that clients fail at once. Both are the verdict deny.

    ``ip_block_pods`` (``ipBlockPods``): ``match`` reads an ipBlock by addresses alone, those of pods too; ``ignore``
    has it mean addresses that are no pod's, so that only selectors let pods in.

    ``own_node`` (``ownNode``): ``allow`` leaves what a pod sends to its own node alone, as the documentation's first
    section has it; ``enforce`` puts it under the pod's egress, as its section on isolation has it, which exempts
    ingress only. What the node sends to its own pods passes either way.

    ``host_network_peers`` (``hostNetworkPeers``): ``ignore`` has selectors of peers mean no host-network pod;
    ``match`` has them mean it by its node's addresses, and so everything of that node, which has the same ones.
    Policies never select a host-network pod as their subject.

    ``established`` (``established``): ``keep`` lets a connection that was once allowed live on when policies change;
    ``reevaluate`` judges every packet, replies too, by the policies in force, so that a connection that they no longer
    allow is cut in the moment of the change, and flows again when they do. It costs each packet the lookups that
    otherwise only the first one pays.
    """

    icmp: Icmp = "rules-without-ports"
    deny: Deny = "drop"
    ip_block_pods: IpBlockPods = "match"
    own_node: OwnNode = "allow"
    host_network_peers: HostNetworkPeers = "ignore"
    established: Established = "keep"


@dataclass(frozen=True, slots=True)
class Topology:
    """A lab's shape; every field has its default when the user wrote none.

    ``unwritten`` names the fields that nobody wrote (``underlayCIDRs``): what they hold yields to the input.
    """

    name: str = "default"
    networks: tuple[TopologyNetwork, ...] = (TopologyNetwork(unwritten=frozenset({"mode", "podCIDRs"})),)
    nodes: tuple[TopologyNode, ...] = ()
    hosts: tuple[TopologyHost, ...] = ()
    underlay_cidrs: tuple[Prefix, ...] = (IPv4Network("100.64.0.0/16"), IPv6Network("fd00:100:64::/64"))
    source: Source = field(default_factory=Source, compare=False)
    policy: TopologyPolicy = TopologyPolicy()
    unwritten: frozenset[str] = frozenset({"underlayCIDRs"})


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line of a step's ``expect``; ``oracle`` compares every pair with the evaluator and ignores the rest.

    ``source`` and ``destination`` are as written (globs allowed). ``port`` None is every declared port of the
    destination. ``line`` is where it stands.
    """

    source: str = ""
    destination: str = ""
    port: int | None = None
    protocol: str = "TCP"
    verdict: Literal["allow", "deny"] = "allow"
    family: int | None = None
    oracle: bool = False
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class LabelChange:
    """Labels to set (or, with None, to remove) on one pod (``NAMESPACE/NAME``) or one namespace."""

    kind: Literal["pod", "namespace"]
    name: str
    labels: Mapping[str, str | None]
    path: str = ""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Names one object: what ``delete`` takes. ``api_version`` "" means the kind of that name that netlab reads."""

    kind: str
    name: str
    namespace: str = ""
    path: str = ""
    api_version: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a scenario: first ``apply``, then ``label``, then ``delete``, then ``expect``."""

    name: str
    apply: tuple[Document, ...] = ()
    label: tuple[LabelChange, ...] = ()
    delete: tuple[ObjectRef, ...] = ()
    expect: tuple[Expectation, ...] = ()
    path: str = ""


_Object = TypeVar("_Object")
_Item = TypeVar("_Item", LabelChange, ObjectRef, Expectation)
_OF_NO_OBJECT = re.compile(r"(metadata|spec\.description)\b")
_OF_A_STEP = re.compile(r"spec\.steps\[(?P<step>[0-9]+)\](?P<item>\.(name|label|delete|expect)(?![^.\[]))?")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What ``netlab test`` runs; ``resources`` are the documents of the files that it names, read already.

    ``wrong`` are the paths of its fields that are not right, "" for what was wrong with a file that it names.
    """

    meta: Meta
    description: str = ""
    resources: tuple[Document, ...] = ()
    steps: tuple[Step, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
    wrong: tuple[str, ...] = ()

    def sound(self, items: Iterable[_Item]) -> tuple[_Item, ...]:
        """Return the items of a step that nothing is wrong with."""
        return tuple(item for item in items if not any(path.startswith(item.path) for path in self.wrong))

    def read_until(self, index: int) -> bool:
        """Say whether everything was read that the lab consists of after a step, by its number."""
        for path in self.wrong:
            step = _OF_A_STEP.match(path)
            if not (_OF_NO_OBJECT.match(path) or (step and (step["item"] or int(step["step"]) > index))):
                return False
        return True


class _Of(Generic[_Object]):
    """A property of Objects: those of one type."""

    def __init__(self, kind: type[_Object]) -> None:
        self.kind = kind

    def __get__(self, objects: Objects | None, owner: type) -> tuple[_Object, ...]:
        return self if objects is None else objects.of(self.kind)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, init=False)
class Objects:
    """Everything that was read, decoded and valid on its own; ``skipped`` counts the kinds that netlab does not read.

    ``found`` has the objects by their type; ``of`` returns those of one, and the properties are short for it.
    ``unread`` are policies of others, of kinds that it does not read either, but that may decide about traffic.

    ``documents`` are the inputs in order, as written; a lab keeps what it reads of them. ``pod_labels`` are labels that
    were changed on single pods of workloads, by ``NAMESPACE/POD``; None removes one.
    """

    found: Mapping[type, tuple[Any, ...]]
    skipped: Mapping[str, int]
    documents: tuple[Document, ...]
    pod_labels: Mapping[str, Mapping[str, str | None]]
    unread: tuple[UnreadPolicy, ...]

    def __init__(
        self,
        found: Mapping[type, Iterable[Any]] | None = None,
        skipped: Mapping[str, int] | None = None,
        documents: Iterable[Document] = (),
        pod_labels: Mapping[str, Mapping[str, str | None]] | None = None,
        unread: Iterable[UnreadPolicy] = (),
        **named: Any,
    ) -> None:
        """Take objects by their type, or those of one type by a property's name; AttributeError for another name."""
        of = {kind: tuple(some) for kind, some in (found or {}).items()}
        if "topology" in named:
            of[Topology] = tuple(one for one in (named.pop("topology"),) if one is not None)
        of |= {getattr(Objects, name).kind: tuple(some) for name, some in named.items()}
        object.__setattr__(self, "found", {kind: some for kind, some in of.items() if some})
        object.__setattr__(self, "skipped", skipped or {})
        object.__setattr__(self, "documents", tuple(documents))
        object.__setattr__(self, "pod_labels", pod_labels or {})
        object.__setattr__(self, "unread", tuple(unread))

    def of(self, kind: type[_Object]) -> tuple[_Object, ...]:
        """Return the objects of a type, in the order of the input; every workload is a ``Workload``."""
        return self.found.get(kind, ())

    namespaces = _Of(Namespace)
    nodes = _Of(Node)
    pods = _Of(Pod)
    workloads = _Of(Workload)
    services = _Of(Service)
    policies = _Of(NetworkPolicy)
    scenarios = _Of(Scenario)

    @property
    def topology(self) -> Topology | None:
        return next(iter(self.of(Topology)), None)
