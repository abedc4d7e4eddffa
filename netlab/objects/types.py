"""Objects as values: one frozen class per kind, with defaults, and with the lines of the input.

``policies`` has NetworkPolicy, ``topology`` and ``scenarios`` have netlab's own kinds. ``all_objects`` has the value
that holds all objects.

Source: the Kubernetes API reference (core/v1, apps/v1, batch/v1, networking.k8s.io/v1). Names are those of the API in
snake case. The classes have the fields that netlab reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any, Literal

from netlab.frozen import frozen

if TYPE_CHECKING:
    from netlab.objects.file_trees import FileTree

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network
Direction = Literal["ingress", "egress"]
DIRECTIONS: tuple[Direction, Direction] = ("ingress", "egress")

LAST_PORT = 65535
Protocol = Literal["TCP", "UDP", "SCTP"]
DnsPolicy = Literal["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]


@frozen
class Source:
    """The place of an object: its file, as the user named it, and the line of every written field.

    ``lines`` maps a field path (``spec.ingress[0].from[1]``) to its line. The path "" is the object. ``tree`` has the
    files among which the file is, None for those of this host. ``ignored`` has the rules of ``netlab lint`` that
    comments silence for the object.
    """

    file: str = "<input>"
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    tree: FileTree | None = field(default=None, compare=False, repr=False)
    ignored: frozenset[str] = field(default=frozenset(), compare=False, repr=False)

    def line(self, path: str = "") -> int:
        """Return the line of a field, or of the nearest field above it that has one; 0 if none has."""
        while path:
            if path in self.lines:
                return self.lines[path]
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return self.lines.get("", 0)

    def place(self, path: str = "") -> str:
        """Return ``FILE:LINE`` of a field, as ``line`` finds it; "" if the line is not known."""
        line = self.line(path)
        return f"{self.file}:{line}" if line else ""


@frozen
class Meta:
    """The fields of ``metadata`` that netlab reads; ``namespace`` is "" for kinds that have none.

    ``owner`` is ``KIND NAME`` of the controller that made the object, as in an export of a cluster, else "".
    """

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""

    @property
    def key(self) -> str:
        """``NAMESPACE/NAME``, or the name alone for kinds without namespaces."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@frozen
class Document:
    """One object as plain data, and its place. A ``kind: List`` is unpacked into the documents of its items.

    ``data`` must not be changed: YAML aliases share parts of it. ``duplicates`` has the fields that are written twice,
    each with the line of the second value, which is in ``data``. ``memo`` caches what is derived from the document, so
    that an object is decoded once while others change.
    """

    data: Mapping[str, Any]
    source: Source
    duplicates: tuple[tuple[str, int], ...] = ()
    memo: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def kind(self) -> str:
        return str(self.data.get("kind", ""))


# --- core/v1, apps/v1, batch/v1 -------------------------------------------------------------------------------------


@frozen
class ContainerPort:
    """One container port of a pod; ``name`` is "" if it has none, ``host_port`` 0 if it is not published."""

    port: int
    protocol: Protocol = "TCP"
    name: str = ""
    host_port: int = 0
    host_ip: str = ""
    path: str = ""


@frozen
class DnsConfig:
    """``spec.dnsConfig`` of a pod; ``options`` are pairs of name and value, "" for an option without a value."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


@frozen
class HostAlias:
    """A line that a pod's ``/etc/hosts`` has: an address and its names."""

    ip: str
    hostnames: tuple[str, ...] = ()


@frozen
class PodSpec:
    """The fields of a pod's spec that the network depends on; ``ports`` are those of all containers, in order.

    ``images`` says whether two templates differ; nothing else depends on it.
    """

    node_name: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False
    ports: tuple[ContainerPort, ...] = ()
    hostname: str = ""
    subdomain: str = ""
    dns_policy: DnsPolicy = "ClusterFirst"
    dns_config: DnsConfig | None = None
    host_aliases: tuple[HostAlias, ...] = ()
    images: tuple[str, ...] = ()


@frozen
class Pod:
    """A Pod; ``phase``, ``addresses`` and ``host_addresses`` (the node's) are from the status of an exported one.

    ``ready``: the condition Ready; True if none is written. ``terminating``: it has a ``deletionTimestamp``.
    """

    meta: Meta
    spec: PodSpec
    phase: str = ""
    addresses: tuple[Address, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
    host_addresses: tuple[Address, ...] = ()
    ready: bool = True
    terminating: bool = False


@frozen
class RolloutStrategy:
    """How a workload replaces its pods after a change of their template.

    ``surge`` and ``unavailable`` are numbers of pods, or percentages of the wanted number of pods (``25%``).
    ``partition``: pods of a StatefulSet with a smaller number keep the old template.
    """

    type: str = "RollingUpdate"
    surge: int | str = 0
    unavailable: int | str = 1
    partition: int = 0


@frozen
class Workload:
    """A Deployment, ReplicaSet, StatefulSet, DaemonSet, Job or the like: ``replicas`` pods of one template.

    - ``replicas``: None for a DaemonSet, which has one pod on every node that its nodeSelector admits.
    - ``template_path``: the path of the pod template in the object.
    - ``first``: the ordinal of the first pod (``ordinals.start``).
    - ``indexed``: the pods of a Job have a completion index.
    - ``manual_selector``: the Job controller does not add its labels to the pods.
    - ``rollout``: None for kinds whose controllers do not replace pods after a change of the template.
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
    rollout: RolloutStrategy | None = None


@frozen
class Namespace:
    """A Namespace. Its labels always include ``kubernetes.io/metadata.name``.

    Objects use a namespace that is not ``declared``. On a cluster it may have other labels, which are unknown.
    """

    meta: Meta
    source: Source = field(default_factory=Source, compare=False)
    declared: bool = True


@frozen
class Node:
    """A Kubernetes Node: a node of the lab, or labels, podCIDRs and addresses of the Topology's node of its name."""

    meta: Meta
    pod_cidrs: tuple[Prefix, ...] = ()
    addresses: tuple[Address, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
