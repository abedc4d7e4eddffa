"""What users write, as values: one frozen class per kind, with defaults applied and the lines that it came from.

``policies`` has NetworkPolicy, ``topology`` and ``scenarios`` have netlab's own kinds, ``all_objects`` what was read.

Shapes follow the Kubernetes API reference (core/v1, apps/v1, batch/v1, networking.k8s.io/v1); names are those of the
API in snake case. Only the fields that netlab reads are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Literal

from netlab.frozen import frozen

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network
Direction = Literal["ingress", "egress"]
Protocol = Literal["TCP", "UDP", "SCTP"]


@frozen
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


@frozen
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


@frozen
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


# --- core/v1, apps/v1, batch/v1 -------------------------------------------------------------------------------------


@frozen
class ContainerPort:
    """One container port of a pod; ``name`` is "" when it has none, ``host_port`` 0 when it is not published."""

    port: int
    protocol: Protocol = "TCP"
    name: str = ""
    host_port: int = 0
    host_ip: str = ""
    path: str = ""


@frozen
class PodSpec:
    """The part of a pod's spec that the network depends on; ``ports`` are those of all its containers in order."""

    node_name: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False
    ports: tuple[ContainerPort, ...] = ()


@frozen
class Pod:
    """A Pod as written; an exported one's status states ``phase``, ``addresses`` and its node's ``host_addresses``."""

    meta: Meta
    spec: PodSpec
    phase: str = ""
    addresses: tuple[Address, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
    host_addresses: tuple[Address, ...] = ()


@frozen
class Workload:
    """A Deployment, ReplicaSet, StatefulSet, DaemonSet, Job or the like: ``replicas`` pods of one template.

    ``replicas`` is None for a DaemonSet, which has one pod on every node that its selector admits.
    ``template_path`` is where the pod template stands in the object (``spec.template``). ``first`` is the number of the
    first pod (``ordinals.start``). Pods of an ``indexed`` Job get a number; those of a Job with a
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


@frozen
class Namespace:
    """A Namespace; its labels always hold ``kubernetes.io/metadata.name``.

    One that is used and not ``declared`` has other labels too on a cluster, which are not known.
    """

    meta: Meta
    source: Source = field(default_factory=Source, compare=False)
    declared: bool = True


@frozen
class Node:
    """A Kubernetes Node: labels and podCIDRs for the Topology's node of that name, or a node of its own."""

    meta: Meta
    pod_cidrs: tuple[Prefix, ...] = ()
    addresses: tuple[Address, ...] = ()
    source: Source = field(default_factory=Source, compare=False)


@frozen
class ServicePort:
    """One port of a Service; ``target_port`` is a number, a container port's name, or 0 for ``port`` itself."""

    port: int
    target_port: int | str = 0
    protocol: Protocol = "TCP"
    name: str = ""


@frozen
class Service:
    """A Service, as far as netlab reads it."""

    meta: Meta
    selector: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[ServicePort, ...] = ()
    cluster_ip: str = ""
    type: str = "ClusterIP"
    source: Source = field(default_factory=Source, compare=False)
