"""The next cluster, from one that is known and a small change: what ``resolve`` would say, without asking all of it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter, is_
from typing import TypeVar

from netlab.cluster.addresses import pod_addresses
from netlab.cluster.nodes import NodeDraft, node_drafts, states_nodes
from netlab.cluster.placement import place
from netlab.cluster.pods import PodDraft, pod_drafts
from netlab.cluster.resolve import attach, by_key, by_namespace, made, namespaces, undeclared
from netlab.cluster.types import Cluster, Placement, Pod
from netlab.objects.all_objects import Objects
from netlab.objects.controllers import own_labels, shared_labels
from netlab.objects.kind import namespaced_types
from netlab.objects.topology import Topology

_T = TypeVar("_T")


def resolve_change(cluster: Cluster, old: Objects, new: Objects) -> Cluster | None:
    """Return what ``resolve`` makes of ``new`` when the pods of ``cluster`` stay where they are.

    ``cluster`` is what was made of ``old``. None means that only ``resolve`` can say: when nodes or networks change,
    when pods that come or go publish ports, state addresses, name nodes that nothing states or are owned by others,
    when workloads share a name, and when anything is wrong.
    """
    if old.topology != new.topology or old.nodes != new.nodes:
        return None
    gone = Objects(pods=_others(old.pods, new.pods), workloads=_others(old.workloads, new.workloads))
    come = Objects(
        pods=_others(new.pods, old.pods),
        workloads=_others(new.workloads, old.workloads),
        pod_labels=new.pod_labels,
    )
    if gone.pods or gone.workloads or come.pods or come.workloads:
        moved = _exchange(cluster, gone, come, new)
        if moved is None:
            return None
        cluster = moved
    relabelled = _relabelled(cluster, old, new)
    if relabelled is None:
        return None
    named = _same(old.namespaces, new.namespaces)
    same = named and all(_same(old.of(kind), new.of(kind)) for kind in namespaced_types())
    return replace(
        cluster,
        pods=relabelled,
        namespaces=cluster.namespaces if same else namespaces(new),
        undeclared=cluster.undeclared if same else undeclared(new),
        policies=cluster.policies if _same(old.policies, new.policies) else by_namespace(new.policies),
        services=cluster.services if _same(old.services, new.services) else by_namespace(new.services),
        unread=new.unread,
    )


def _exchange(cluster: Cluster, gone: Objects, come: Objects, new: Objects) -> Cluster | None:
    """Take the pods of what went out of the cluster, and put those of what came in; what changed did both."""
    if _owned(gone) or _owned(come) or ((gone.workloads or come.workloads) and _owned(new)):
        return None
    if cluster.renamed or _share_a_name(come, new) or _shapes(gone, new) or _shapes(come, new):
        return None
    topology, nodes = _as_made(cluster, new)
    out, over, _ = pod_drafts(gone, nodes)
    drafts, finished, problems = pod_drafts(come, nodes)
    if problems or any(draft.publishes or draft.renamed for draft in (*out, *drafts)):
        return None
    pods = list(cluster.pods)
    before: dict[str, Pod] = {}
    for draft in out:
        index = _index(pods, draft.meta.namespace, draft.meta.name)
        if index is None:
            return None
        before[draft.ref] = pods.pop(index)
    over_now = {*cluster.finished} - {*over}
    named = [*finished, *(draft.ref for draft in drafts)]
    if any(_index(pods, *ref.split("/")) is not None or ref in over_now for ref in named):
        return None
    added = _settle(cluster, topology, nodes, drafts, before, pods)
    if added is None:
        return None
    for pod in added:
        pods.insert(bisect_left(pods, by_key(pod), key=by_key), pod)
    return replace(cluster, pods=tuple(pods), finished=tuple(sorted({*over_now, *finished})))


def _settle(
    cluster: Cluster,
    topology: Topology,
    nodes: Sequence[NodeDraft],
    drafts: Sequence[PodDraft],
    before: Mapping[str, Pod],
    others: Collection[Pod],
) -> list[Pod] | None:
    """Give new pods their nodes and addresses beside the others; those that were there before keep them."""
    keep = {ref: Placement(pod.node, pod.addresses) for ref, pod in before.items()}
    node_of, unplaced = place(drafts, nodes, keep, Counter(map(attrgetter("node"), others)))
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
    return [made(draft, node_of[draft.ref], attached, pod_ips, underlay) for draft in drafts]


def _relabelled(cluster: Cluster, old: Objects, new: Objects) -> tuple[Pod, ...] | None:
    """Return the cluster's pods, with the labels that were changed on single pods of workloads."""
    changed = [
        ref
        for ref in dict.fromkeys((*old.pod_labels, *new.pod_labels))
        if old.pod_labels.get(ref) != new.pod_labels.get(ref)
    ]
    if not changed:
        return cluster.pods
    if _owned(new):
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


def _share_a_name(come: Objects, new: Objects) -> bool:
    """Say whether another workload has the name of one that came: then the names of their pods depend on both."""
    names = {(w.meta.namespace, w.meta.name) for w in come.workloads}
    alike = [w for w in new.workloads if (w.meta.namespace, w.meta.name) in names] if names else []
    return len(alike) > len(names)


def _owned(of: Objects) -> bool:
    """Say whether something made one of the objects: then who makes which pods is a question to all of them."""
    return any(pod.meta.owner for pod in of.pods) or any(workload.meta.owner for workload in of.workloads)


def _shapes(of: Objects, new: Objects) -> bool:
    """Say whether one of the objects may decide which nodes there are, or with which ranges and addresses."""
    if any(pod.addresses or pod.host_addresses for pod in of.pods):
        return True
    named = any(p.spec.node_name for p in of.pods) or any(w.template.node_name for w in of.workloads)
    return named and not states_nodes(new)


def _as_made(cluster: Cluster, new: Objects) -> tuple[Topology, list[NodeDraft]]:
    """Return the Topology and the nodes that the cluster was made from, with what nobody wrote as it was chosen."""
    topology = new.topology or Topology()
    networks = tuple(
        replace(written, mode=own.mode, pod_cidrs=own.pod_cidrs)
        for written, own in zip(topology.networks, cluster.networks, strict=True)
    )
    topology = replace(topology, networks=networks, underlay_cidrs=cluster.underlay_cidrs)
    if states_nodes(new):
        # Who states the pods' nodes and addresses is not asked again: nothing of it changes.
        return topology, node_drafts(Objects(nodes=new.nodes, topology=new.topology))
    return topology, [NodeDraft(node.name, node.labels, made_up=True) for node in cluster.nodes]


def _index(pods: Sequence[Pod], namespace: str, name: str) -> int | None:
    """Return where a pod stands among sorted ones, None where it does not."""
    index = bisect_left(pods, (namespace, name), key=by_key)
    return index if index < len(pods) and by_key(pods[index]) == (namespace, name) else None


def _same(these: Sequence[object], those: Sequence[object]) -> bool:
    return len(these) == len(those) and all(map(is_, these, those))


def _others(these: Iterable[_T], those: Iterable[_T]) -> tuple[_T, ...]:
    known = set(map(id, those))
    return tuple(one for one in these if id(one) not in known)
