"""Resolve a change of objects: the next cluster from the last one, without resolving all objects again."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter, is_
from typing import TYPE_CHECKING, TypeVar

from netlab import modes
from netlab.cluster.addresses import pod_addresses
from netlab.cluster.cluster_policies_read import cluster_policies_read
from netlab.cluster.nodes import NodeDraft, node_drafts, states_nodes
from netlab.cluster.placement import place
from netlab.cluster.plain_policies import by_profile
from netlab.cluster.pods import PodDraft, pod_drafts
from netlab.cluster.policies_in_force import isolated_namespaces
from netlab.cluster.resolve import (
    attach,
    by_key,
    by_namespace,
    namespaces,
    pod_from,
    undeclared,
    with_profile,
)
from netlab.cluster.services.ranges import BALANCER_DEFAULTS, keeps_range
from netlab.cluster.types import Cluster, Placement, Pod
from netlab.errors import Problem
from netlab.objects.all_objects import Objects
from netlab.objects.controllers import own_labels, shared_labels
from netlab.objects.kind import namespaced_types
from netlab.objects.services import Service
from netlab.objects.topology import Topology

if TYPE_CHECKING:
    from netlab.cluster.services.pool import Taken

_T = TypeVar("_T")
_TAKEN = "services.taken"


def resolve_change(cluster: Cluster, old: Objects, new: Objects) -> Cluster | None:
    """Return the cluster that ``resolve`` makes of ``new`` if the pods of ``cluster`` keep their places.

    ``cluster`` is that of ``old``. None means that the caller must call ``resolve``: nodes or networks change; a pod
    that is added or removed publishes ports, states addresses, has an owner, or names a node that the input does not
    state; workloads share a name; or there is an error.
    """
    before = cluster
    if not _same_topology(old, new) or old.nodes != new.nodes:
        return None
    if old.stopped_nodes != new.stopped_nodes or old.starting_nodes or new.starting_nodes:
        return None
    if not _same(old.workload_pods, new.workload_pods):
        return None
    removed = Objects(pods=_without(old.pods, new.pods), workloads=_without(old.workloads, new.workloads))
    added = Objects(
        pods=_without(new.pods, old.pods),
        workloads=_without(new.workloads, old.workloads),
        pod_labels=new.pod_labels,
    )
    removed_services, added_services = _without(old.services, new.services), _without(new.services, old.services)
    if _system_changes(
        old, new, (*removed.pods, *removed.workloads, *added.pods, *added.workloads, *removed_services, *added_services)
    ) or not _same(old.ingress_classes, new.ingress_classes):
        return None
    allocated = _allocated(cluster, new, removed_services, added_services)
    ingresses = cluster.ingresses
    refused: list[Problem] = []
    if not _same(old.ingresses, new.ingresses):
        from netlab.objects.ingress_links import with_default_class

        ingresses, refused = with_default_class(new.ingresses, cluster.ingress_classes)
    if allocated is None or refused:
        return None
    if removed.pods or removed.workloads or added.pods or added.workloads:
        if new.workload_pods:
            return None
        changed = _replace_pods(cluster, removed, added, new)
        if changed is None:
            return None
        cluster = changed
    relabelled = _relabelled(cluster, old, new)
    if relabelled is None:
        return None
    named = _same(old.namespaces, new.namespaces)
    spaces, unknown_spaces = cluster.namespaces, cluster.undeclared
    if not (named and all(_same(old.of(kind), new.of(kind)) for kind in namespaced_types((*old.found, *new.found)))):
        spaces, unknown_spaces = namespaces(new), undeclared(new)
        of_system = [pod.namespace for pod in cluster.pods if pod.system]
        if of_system:
            from netlab.cluster.services.system import namespaces_with

            spaces, unknown_spaces = namespaces_with(spaces, unknown_spaces, new.namespaces, of_system)
    unread, understood = by_profile(new.unread, cluster.policy, cluster.profile)
    services, taken = allocated
    of_tiers, not_read = cluster_policies_read(new, cluster.policy)
    new_cluster = replace(
        cluster,
        pods=relabelled,
        namespaces=spaces,
        undeclared=unknown_spaces,
        policies=cluster.policies if _same(old.policies, new.policies) else by_namespace(new.policies),
        services=services,
        cluster_policies=of_tiers,
        cluster_policies_not_read=not_read,
        unread=unread,
        understood=understood,
        slices=new.slices,
        endpoints=new.endpoints,
        ingresses=ingresses,
        tls_secrets=new.tls_secrets,
        isolated_namespaces=cluster.isolated_namespaces
        if named
        else isolated_namespaces(cluster.policy, new.namespaces)[0],
    )
    if taken is not None:
        new_cluster.memo[_TAKEN] = taken
    if new_cluster.services:
        from netlab.cluster.services.changes import carry
        from netlab.cluster.services.routes import hidden_pods

        if (added_services or added.pods or added.workloads) and hidden_pods(new_cluster):
            return None
        carry(before, new_cluster)
    return new_cluster


def _same_topology(old: Objects, new: Objects) -> bool:
    """Say whether two inputs have one Topology, and one profile of it."""
    one, other = old.topology, new.topology
    if one != other or old.profiles != new.profiles:
        return False
    # A setting that is written with its default value overrides the profile's.
    return one is None or other is None or not one.profile or one.policy.written == other.policy.written


def _system_changes(old: Objects, new: Objects, objects: Iterable[object]) -> bool:
    """Say whether system objects may change; ``objects`` are those that differ."""
    if not (old.wants_system or new.wants_system):
        return False
    from netlab.cluster.services.system import system_objects_change

    return system_objects_change(old, new, objects)


def _allocated(
    cluster: Cluster, new: Objects, removed: Sequence[Service], added: Sequence[Service]
) -> tuple[tuple[Service, ...], Taken | None] | None:
    """Return the Services after a change, and what they have; None if a range may change or for an error."""
    taken: Taken | None = cluster.memo.get(_TAKEN)
    if not removed and not added:
        return cluster.services, taken
    from netlab.cluster.services.allocation import allocate_change
    from netlab.cluster.services.pool import Taken

    topology, _ = _topology_and_nodes(cluster, new)
    if not _same_service_ranges(cluster, topology, removed, added):
        return None
    taken = Taken.of(cluster.services) if taken is None else taken.copy()
    services, problems = allocate_change(cluster.services, taken, topology, removed, added)
    return None if problems else (services, taken)


def _replace_pods(cluster: Cluster, removed: Objects, added: Objects, new: Objects) -> Cluster | None:
    """Return the cluster without the pods of removed objects and with those of added ones; None as above.

    An object that changed is both removed and added.
    """
    if _any_owned(removed) or _any_owned(added) or ((removed.workloads or added.workloads) and _any_owned(new)):
        return None
    if cluster.renamed or _share_a_name(added, new) or _may_decide_nodes(removed, new) or _may_decide_nodes(added, new):
        return None
    topology, nodes = _topology_and_nodes(cluster, new)
    old_drafts, old_finished, _ = pod_drafts(removed, nodes)
    drafts, finished, problems = pod_drafts(added, nodes)
    if problems or any(draft.publishes or draft.renamed for draft in (*old_drafts, *drafts)):
        return None
    pods = list(cluster.pods)
    before: dict[str, Pod] = {}
    for draft in old_drafts:
        index = _index(pods, draft.meta.namespace, draft.meta.name)
        if index is None:
            return None
        before[draft.ref] = pods.pop(index)
    still_finished = {*cluster.finished} - {*old_finished}
    named = [*finished, *(draft.ref for draft in drafts)]
    if any(_index(pods, *ref.split("/")) is not None or ref in still_finished for ref in named):
        return None
    new_pods = _new_pods(cluster, topology, nodes, drafts, before, pods)
    if new_pods is None:
        return None
    for pod in new_pods:
        pods.insert(bisect_left(pods, by_key(pod), key=by_key), pod)
    return replace(cluster, pods=tuple(pods), finished=tuple(sorted({*still_finished, *finished})))


def _new_pods(
    cluster: Cluster,
    topology: Topology,
    nodes: Sequence[NodeDraft],
    drafts: Sequence[PodDraft],
    before: Mapping[str, Pod],
    others: Collection[Pod],
) -> list[Pod] | None:
    """Return the pods of drafts, with nodes and addresses; None if some do not fit.

    Pods in ``before`` keep their node and addresses. ``others`` are the pods that do not change.
    """
    keep = {ref: Placement(pod.node, pod.addresses) for ref, pod in before.items()}
    stopped = cluster.stopped_nodes
    node_of, unplaced = place(drafts, nodes, keep, Counter(map(attrgetter("node"), others)), stopped)
    attached, unattached = attach(topology, list(drafts))
    if unplaced or unattached:
        return None
    own = [(draft, network) for draft in drafts if (network := attached.get(draft.ref)) is not None]
    taken = {
        (network, family): {int(a) for p in others if p.network == network for a in p.addresses if a.version == family}
        for network in {network.name for _, network in own}
        for family in cluster.families
    }
    prefixes = {node.name: node.pod_cidrs for node in cluster.nodes}
    underlay = {node.name: node.addresses for node in cluster.nodes}
    machines = [address for of in underlay.values() for address in of]
    pod_ips, unserved = pod_addresses(topology, own, node_of, prefixes, keep, machines, taken)
    if unserved:
        return None
    return [pod_from(draft, node_of[draft.ref], attached, pod_ips, underlay, stopped) for draft in drafts]


def _relabelled(cluster: Cluster, old: Objects, new: Objects) -> tuple[Pod, ...] | None:
    """Return the cluster's pods, with changed labels of single pods of workloads; None as above."""
    changed = [
        ref
        for ref in dict.fromkeys((*old.pod_labels, *new.pod_labels))
        if old.pod_labels.get(ref) != new.pod_labels.get(ref)
    ]
    if not changed:
        return cluster.pods
    if _any_owned(new) or new.workload_pods:
        return None
    pods = list(cluster.pods)
    for ref in changed:
        index = _index(pods, *ref.split("/"))
        if index is None:
            continue
        workload = next((w for w in new.workloads if f"{w.kind} {w.meta.key}" == pods[index].workload), None)
        if workload is None:
            return None
        own = {**shared_labels(workload), **own_labels(workload, pods[index].name)}
        labels = {**own, **new.pod_labels.get(ref, {})}
        pods[index] = replace(pods[index], labels={k: v for k, v in labels.items() if v is not None})
    return tuple(pods)


def _same_service_ranges(
    cluster: Cluster, topology: Topology, removed: Sequence[Service], added: Sequence[Service]
) -> bool:
    """Say whether the default ranges of Services and load balancers stay after a change of Services."""
    if "loadBalancerCIDRs" in topology.unwritten:
        changed = {a for one in removed for a in one.external_ips} ^ {a for one in added for a in one.external_ips}
        if any(a in cidr for a in changed for many in BALANCER_DEFAULTS.values() for cidr in many):
            return False
        # An address outside the default range is a warning, which needs the whole input.
        if not cluster.load_balancer_cidrs or any(one.load_balancer_ip is not None for one in added):
            return False
    if "serviceCIDRs" not in topology.unwritten:
        return True
    written = {a for one in removed for a in one.cluster_ips} ^ {a for one in added for a in one.cluster_ips}
    return len(cluster.service_cidrs) == len(topology.networks[0].pod_cidrs) and keeps_range(
        cluster.service_cidrs, written
    )


def _share_a_name(added: Objects, new: Objects) -> bool:
    """Say whether another workload has the name of an added one. The names of their pods then depend on both."""
    names = {(w.meta.namespace, w.meta.name) for w in added.workloads}
    alike = [w for w in new.workloads if (w.meta.namespace, w.meta.name) in names] if names else []
    return len(alike) > len(names)


def _any_owned(of: Objects) -> bool:
    """Say whether an object has an owner. Which workload makes which pods then depends on all objects."""
    return any(pod.meta.owner for pod in of.pods) or any(workload.meta.owner for workload in of.workloads)


def _may_decide_nodes(of: Objects, new: Objects) -> bool:
    """Say whether nodes, ranges or addresses of the cluster may depend on one of the objects."""
    if any(pod.addresses or pod.host_addresses for pod in of.pods):
        return True
    named = any(p.spec.node_name for p in of.pods) or any(w.template.node_name for w in of.workloads)
    return named and not states_nodes(new)


def _topology_and_nodes(cluster: Cluster, new: Objects) -> tuple[Topology, list[NodeDraft]]:
    """Return the Topology with the defaults that ``resolve`` chose for the cluster, and its nodes."""
    topology = with_profile(new)[0]
    usual = modes.ONE_NODE if len(cluster.nodes) == 1 else modes.SEVERAL_NODES
    networks = tuple(
        # A profile's name is no mode: its choices are those that differ from the usual mode.
        replace(written, mode=usual if written.profile else own.mode, pod_cidrs=own.pod_cidrs)
        for written, own in zip(topology.networks, cluster.networks, strict=True)
    )
    topology = replace(
        topology,
        networks=networks,
        underlay_cidrs=cluster.underlay_cidrs,
        service_cidrs=cluster.service_cidrs,
        load_balancer_cidrs=cluster.load_balancer_cidrs,
    )
    if states_nodes(new):
        # Pods are left out: addresses that they state for nodes do not change here.
        return topology, node_drafts(Objects(nodes=new.nodes, topology=new.topology))
    return topology, [NodeDraft(node.name, node.labels, made_up=True) for node in cluster.nodes]


def _index(pods: Sequence[Pod], namespace: str, name: str) -> int | None:
    """Return the index of a pod among sorted pods, None if it is not there."""
    index = bisect_left(pods, (namespace, name), key=by_key)
    return index if index < len(pods) and by_key(pods[index]) == (namespace, name) else None


def _same(these: Sequence[object], those: Sequence[object]) -> bool:
    """Say whether two sequences hold the same objects, by identity."""
    return len(these) == len(those) and all(map(is_, these, those))


def _without(these: Iterable[_T], those: Iterable[_T]) -> tuple[_T, ...]:
    """Return the objects of the first collection that are not (by identity) in the second."""
    known = set(map(id, those))
    return tuple(one for one in these if id(one) not in known)
