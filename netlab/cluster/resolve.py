"""Objects to cluster: the one place where everything about a lab is decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from netlab.cluster.addresses import node_prefixes, pod_addresses
from netlab.cluster.nodes import node_drafts, underlay_addresses
from netlab.cluster.placement import place
from netlab.cluster.pods import PodDraft, pod_drafts
from netlab.cluster.published import unpublishable
from netlab.cluster.types import Attachment, Cluster, Host, Network, Node, Placement, Pod
from netlab.errors import InputError, Problem
from netlab.objects.core import NAMESPACE_LABEL
from netlab.objects.types import Address, NetworkPolicy, Objects, Service, Topology, TopologyNetwork

_Named = TypeVar("_Named", NetworkPolicy, Service)
NETWORK_ANNOTATION = "netlab/network"


def resolve(objects: Objects, keep: Mapping[str, Placement] | None = None) -> Cluster:
    """Return the cluster that the objects describe; the same objects (and ``keep``) always give the same one.

    ``keep`` maps the references of pods that run already to where they do: they stay there, with their addresses,
    as long as the objects still allow it.

    Raises:
      InputError: with every problem at once, when the objects do not fit together: nodes, networks or addresses that
        are not there, do not suffice or clash.
    """
    keep = keep or {}
    topology = objects.topology or Topology()
    nodes = node_drafts(topology, objects.nodes)
    underlay, problems = underlay_addresses(topology, nodes)
    prefixes, more = node_prefixes(topology, nodes)
    problems += more
    drafts, finished, more = pod_drafts(objects, nodes)
    problems += more
    node_of, more = place(drafts, nodes, keep)
    problems += more
    attached, more = attach(topology, drafts)
    problems += more

    problems += unpublishable(drafts, node_of, attached)
    own = [(d, network) for d in drafts if d.ref in node_of and (network := attached.get(d.ref)) is not None]
    pod_ips, more = pod_addresses(topology, own, node_of, prefixes, keep)
    problems += more
    if problems:
        # The pods of one template share its problems: each is told once.
        raise InputError(tuple(dict.fromkeys(problems)))

    return Cluster(
        name=topology.name,
        networks=tuple(Network(n.name, n.mode, n.pod_cidrs) for n in topology.networks),
        nodes=tuple(sorted((Node(n.name, n.labels, underlay[n.name], prefixes[n.name]) for n in nodes), key=_by_name)),
        hosts=tuple(sorted((Host(h.name, h.addresses) for h in topology.hosts), key=_by_name)),
        namespaces=namespaces(objects),
        pods=tuple(sorted((made(d, node_of[d.ref], attached, pod_ips, underlay) for d in drafts), key=by_key)),
        policies=by_namespace(objects.policies),
        services=by_namespace(objects.services),
        underlay_cidrs=topology.underlay_cidrs,
        finished=tuple(finished),
        policy=topology.policy,
    )


def attach(topology: Topology, drafts: list[PodDraft]) -> tuple[dict[str, TopologyNetwork], list[Problem]]:
    """Return the network of every pod that is on one, by the pod's reference."""
    networks = {network.name: network for network in topology.networks}
    attached: dict[str, TopologyNetwork] = {}
    problems: list[Problem] = []
    for draft in drafts:
        name = draft.meta.annotations.get(NETWORK_ANNOTATION, topology.networks[0].name)
        if draft.spec.host_network or name == "none":
            continue
        if name in networks:
            attached[draft.ref] = networks[name]
        else:
            path = f"{draft.meta_path}.annotations.{NETWORK_ANNOTATION}"
            problems.append(draft.problem(path, f"no network {name!r} in the lab, which has {', '.join(networks)}"))
    return attached, problems


def made(
    draft: PodDraft,
    node: str,
    attached: Mapping[str, TopologyNetwork],
    pod_ips: Mapping[str, tuple[Address, ...]],
    underlay: Mapping[str, tuple[Address, ...]],
) -> Pod:
    """Return the pod that a draft has become, once its node, network and addresses are known."""
    network = attached.get(draft.ref)
    attachment: Attachment = "host" if draft.spec.host_network else network.mode if network else "none"
    return Pod(
        namespace=draft.meta.namespace,
        name=draft.meta.name,
        labels=draft.meta.labels,
        annotations=draft.meta.annotations,
        node=node,
        attachment=attachment,
        network=network.name if network else "",
        addresses=underlay[node] if attachment == "host" else pod_ips.get(draft.ref, ()),
        ports=draft.spec.ports,
        workload=draft.workload,
        source=draft.source,
    )


def namespaces(objects: Objects) -> dict[str, Mapping[str, str]]:
    """Return the labels of every namespace that is declared or used; each has the label that every namespace gets."""
    kinds = (objects.pods, objects.workloads, objects.services, objects.policies)
    labels: dict[str, Mapping[str, str]] = {o.meta.namespace: {} for kind in kinds for o in kind}
    labels |= {n.meta.name: n.meta.labels for n in objects.namespaces}
    return {name: {**labels[name], NAMESPACE_LABEL: name} for name in sorted(labels)}


def by_namespace(objects: Iterable[_Named]) -> tuple[_Named, ...]:
    """Return NetworkPolicies or Services in order."""
    return tuple(sorted(objects, key=lambda one: (one.meta.namespace, one.meta.name)))


def _by_name(named: Node | Host) -> str:
    return named.name


def by_key(pod: Pod) -> tuple[str, str]:
    return pod.namespace, pod.name
