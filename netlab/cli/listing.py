"""Objects of a lab, as Kubernetes objects and as kubectl's tables: pure functions of a cluster and its documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from netlab.cluster import Cluster, Node, Pod
from netlab.dataplane import names
from netlab.errors import UsageError
from netlab.objects import Document, types
from netlab.objects.decoders import object_of
from netlab.objects.ingresses import Ingress, IngressClass
from netlab.objects.kind import Kind, get
from netlab.objects.kinds.endpoints import KIND as _ENDPOINTS
from netlab.objects.kinds.networkpolicy import API_VERSION
from netlab.objects.meta import Key, key_of
from netlab.objects.policies import NetworkPolicy
from netlab.objects.services import Endpoints, EndpointSlice, Service
from netlab.policy.isolating import isolating
from netlab.report.listings import Item, Listing

if TYPE_CHECKING:
    from netlab.lab.lab import NodeMachine

NETNS_ANNOTATION = "netlab/netns"
# The taints that the node lifecycle controller gives a node without a heartbeat.
_UNREACHABLE = [{"key": "node.kubernetes.io/unreachable", "effect": effect} for effect in ("NoSchedule", "NoExecute")]
NetnsPath = Callable[[str], str]
"""Returns the path of a network namespace by its name."""

MACHINE_ANNOTATION = "netlab/machine"
MachinesOfNodes = Mapping[str, "NodeMachine"]
"""The machine of each node of a lab on many machines, by the node's name; empty for a lab of this host."""


def ranges(cluster: Cluster) -> dict[str, Any]:
    """Return a lab's networks and ranges as in a Topology, also those that netlab chose."""
    networks = [{"name": n.name, "mode": n.mode, "podCIDRs": [*map(str, n.pod_cidrs)]} for n in cluster.networks]
    underlay = [str(cidr) for cidr in cluster.underlay_cidrs if cidr.version in cluster.families]
    return {
        **({"profile": cluster.profile.name} if cluster.profile is not None else {}),
        "networks": networks,
        "underlayCIDRs": underlay,
        "serviceCIDRs": [*map(str, cluster.service_cidrs)],
        "loadBalancerCIDRs": [*map(str, cluster.load_balancer_cidrs)],
    }


LAB_HEADER = ("NAME", "STATUS", "NODES", "PODS")
LAB_WIDE = ("DRIFT", "PROFILE", "NETWORKS", "UNDERLAY", "SERVICES", "LOAD-BALANCERS")


def lab(
    name: str,
    phase: str,
    counts: tuple[int | None, int | None],
    spec: Mapping[str, Any],
    drift: str,
    status: Mapping[str, Any] | None = None,
    wide: tuple[str, ...] = (),
) -> Item:
    """Return the item of a lab.

    Args:
      name: its name.
      phase: its phase.
      counts: its numbers of nodes and pods, None where they are unknown.
      spec: its ``ranges``, empty where they are unknown or not asked for.
      drift: the number of its differences, as text.
      status: more fields of its status.
      wide: more cells.
    """
    nodes, pods = counts
    known = {"nodes": nodes, "pods": pods} if nodes is not None else {}
    data = {
        "apiVersion": "netlab/v1alpha1",
        "kind": "Lab",
        "metadata": {"name": name},
        "spec": dict(spec),
        "status": {"phase": phase, **known, **(status or {})},
    }
    networks = (f"{n['name']}={n['mode']}:{','.join(n['podCIDRs'])}" for n in spec.get("networks", ()))
    cidrs = (",".join(spec.get(field, ())) for field in ("underlayCIDRs", "serviceCIDRs", "loadBalancerCIDRs"))
    cells = (name, phase, *("" if count is None else str(count) for count in counts))
    return Item("", name, data, cells, (drift, spec.get("profile", ""), ";".join(networks), *cidrs, *wide))


def nodes(cluster: Cluster, netns_path: NetnsPath, machines: MachinesOfNodes | None = None) -> Listing:
    """List nodes with their addresses and podCIDRs, and with their machine in a lab on many."""

    def item(node: Node) -> Item:
        where = (machines or {}).get(node.name)
        status = "NotReady" if node.stopped or (where is not None and not where.ready) else "Ready"
        cidrs = [str(prefix) for prefixes in node.pod_cidrs.values() for prefix in prefixes]
        addresses = [{"type": "InternalIP", "address": str(a)} for a in node.addresses]
        netns = netns_path(names.node_namespace(cluster.name, node.name))
        ready = {"type": "Ready", "status": "True" if status == "Ready" else "Unknown"}
        machine = {MACHINE_ANNOTATION: where.machine} if where is not None else {}
        data = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": node.name,
                "labels": dict(node.labels),
                "annotations": {NETNS_ANNOTATION: netns, **machine},
            },
            "spec": {
                **({"podCIDR": cidrs[0], "podCIDRs": cidrs} if cidrs else {}),
                **({"taints": [*_UNREACHABLE]} if node.stopped else {}),
            },
            "status": {
                "addresses": [*addresses, {"type": "Hostname", "address": node.name}],
                "conditions": [ready],
            },
        }
        pods = sum(1 for _ in cluster.pods_on(node.name))
        cells = (node.name, status, str(pods), ",".join(map(str, node.addresses)))
        return Item("", node.name, data, cells, (",".join(cidrs), netns, *machine.values()))

    header = ("NAME", "STATUS", "PODS", "INTERNAL-IP")
    wide = ("POD-CIDRS", "NETNS", *(("MACHINE",) if machines else ()))
    return Listing(header, wide, [item(node) for node in cluster.nodes])


def pods(cluster: Cluster, netns_path: NetnsPath, machines: MachinesOfNodes | None = None) -> Listing:
    """List pods with their addresses, interfaces and network namespaces.

    A pod on a machine that is away is Unknown.
    """

    def item(pod: Pod) -> Item:
        where = (machines or {}).get(pod.node)
        phase = "Running" if where is None or where.ready else "Unknown"
        netns = netns_path(names.pod_namespace(cluster.name, pod))
        ips = [str(address) for address in pod.addresses]
        network = f"{pod.network} ({pod.attachment})" if pod.network else pod.attachment
        own = pod.traits.attachment.node_link and not pod.traits.attachment.by_plugins
        port = names.port_name(pod) if own else ""
        cells = (pod.namespace, pod.name, phase, ",".join(ips), pod.node)
        machine = () if where is None else (where.machine,)
        data = _pod_object(cluster, pod, netns, phase)
        return Item(pod.namespace, pod.name, data, cells, (network, port, netns, *machine))

    header = ("NAMESPACE", "NAME", "STATUS", "IP", "NODE")
    first = {workload: pod.ref for workload, pod in cluster.by_workload.items()}
    wide = ("NETWORK", "INTERFACE", "NETNS", *(("MACHINE",) if machines else ()))
    return Listing(header, wide, [item(pod) for pod in cluster.pods], first)


def _pod_object(cluster: Cluster, pod: Pod, netns: str, phase: str) -> dict[str, Any]:
    ips = [str(address) for address in pod.addresses]
    node_ips = [str(address) for address in cluster.node(pod.node).addresses]
    ports = [
        {
            **({"name": p.name} if p.name else {}),
            "containerPort": p.port,
            **({"hostPort": p.host_port} if p.host_port else {}),
            **({"hostIP": p.host_ip} if p.host_ip else {}),
            "protocol": p.protocol,
        }
        for p in pod.ports
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.name,
            "namespace": pod.namespace,
            "labels": dict(pod.labels),
            "annotations": {**pod.annotations, NETNS_ANNOTATION: netns},
        },
        "spec": {
            "nodeName": pod.node,
            **({"hostNetwork": True} if pod.host_network else {}),
            "containers": [{"name": pod.name, **({"ports": ports} if ports else {})}],
        },
        "status": {
            "phase": phase,
            "hostIP": node_ips[0],
            "hostIPs": [{"ip": ip} for ip in node_ips],
            **({"podIP": ips[0]} if ips else {}),
            "podIPs": [{"ip": ip} for ip in ips],
            **({} if pod.ready else {"conditions": [{"type": "Ready", "status": "False"}]}),
        },
    }


def stored(kind: Kind, documents: Sequence[Document]) -> Listing:
    """List the objects of a kind from the lab's record, with the columns of the kind."""
    rows = {}
    for document in documents:
        key = key_of(document)
        # Other APIs have kinds of the same name.
        if (key.api_version, key.kind) == (kind.api_version, kind.name) and (one := object_of(document)) is not None:
            rows[key.namespace, key.name] = one, _as_kept(document, key)
    narrow, wide = ([c for c in kind.columns or () if c.wide is wanted] for wanted in (False, True))
    items = [
        Item(
            namespace,
            name,
            data,
            (*((namespace,) if kind.namespaced else ()), name, *(column.text(one) for column in narrow)),
            tuple(column.text(one) for column in wide),
        )
        for (namespace, name), (one, data) in sorted(rows.items())
    ]
    header = (*(("NAMESPACE",) if kind.namespaced else ()), "NAME", *(column.title for column in narrow))
    return Listing(header, tuple(column.title for column in wide), items)


def networkpolicies(cluster: Cluster, documents: Sequence[Document]) -> Listing:
    """List NetworkPolicies from the lab's record, with the number of pods that each isolates."""
    written = dict(_written(API_VERSION, "NetworkPolicy", documents))

    def items() -> Iterator[Item]:
        for policy in cluster.policies:
            meta = policy.meta
            types = ",".join(d.capitalize() for d in ("ingress", "egress") if policy.isolates(d))
            isolated = sum(
                any(policy in isolating(cluster, pod, direction) for direction in policy.policy_types)
                for pod in cluster.pods
                if pod.namespace == meta.namespace
            )
            where = policy.source.place() or policy.source.file
            cells = (meta.namespace, meta.name, str(policy.pod_selector))
            wide = (types, str(isolated), where)
            yield Item(meta.namespace, meta.name, written[meta.namespace, meta.name], cells, wide)

    header = ("NAMESPACE", "NAME", "POD-SELECTOR")
    return Listing(header, ("POLICY-TYPES", "PODS", "WRITTEN"), tuple(items()))


def _services() -> ModuleType:
    # Late, as most labs have no Services.
    from netlab.cli import service_listing

    return service_listing


def _written(
    version: str, kind: str, documents: Sequence[Document]
) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for document in documents:
        key = key_of(document)
        # Other APIs have kinds of the same name.
        if (key.api_version, key.kind) == (version, kind):
            yield (key.namespace, key.name), _as_kept(document, key)


def _as_kept(document: Document, key: Key) -> dict[str, Any]:
    """Return a document's data with its namespace."""
    metadata = {**document.data["metadata"], **({"namespace": key.namespace} if key.namespace else {})}
    return {**document.data, "metadata": metadata}


_RUNNING: Mapping[type, Callable[[Cluster, Sequence[Document]], Listing]] = {
    NetworkPolicy: networkpolicies,
    Service: lambda cluster, documents: _services().services(cluster),
    EndpointSlice: lambda cluster, documents: _services().endpointslices(cluster),
    Endpoints: lambda cluster, documents: _services().endpoints(cluster, stored(_ENDPOINTS, documents)),
    Ingress: lambda cluster, documents: _services().ingresses(
        cluster, dict(_written("networking.k8s.io/v1", "Ingress", documents))
    ),
    IngressClass: lambda cluster, documents: _services().ingressclasses(cluster),
}
"""How to list objects that the cluster has in another form than the record."""


def of_kind(
    name: str,
    cluster: Cluster,
    documents: Sequence[Document],
    netns_path: NetnsPath,
    machines: Callable[[], MachinesOfNodes] = dict,
) -> Listing:
    """List a lab's objects of a kind; raises UsageError for a kind that ``get`` does not list."""
    kind = get(name)
    if kind is None or kind.columns is None:
        raise UsageError(f"netlab lists no {name}")
    if kind.type in (types.Node, types.Pod):
        return (nodes if kind.type is types.Node else pods)(cluster, netns_path, machines())
    running = _RUNNING.get(kind.type)
    return running(cluster, documents) if running is not None else stored(kind, documents)
