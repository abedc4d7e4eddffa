"""Objects to cluster: nodes, pods, placement, ranges and addresses are decided here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from netlab import modes
from netlab.cluster.addresses import node_prefixes, pod_addresses
from netlab.cluster.host_ports import check_host_ports, unpublished_warning, without_host_ports
from netlab.cluster.moved_addresses import moved_address_warnings, moved_service_warnings
from netlab.cluster.nodes import node_drafts, states_nodes, underlay_addresses
from netlab.cluster.placement import empty_daemonset_warnings, made_up_label_warnings, place
from netlab.cluster.plain_policies import by_profile, without_read
from netlab.cluster.pods import PodDraft, pod_drafts
from netlab.cluster.policies_in_force import isolated_namespaces
from netlab.cluster.ranges import NETWORK_ANNOTATION, network_of, stated_addresses, with_defaults
from netlab.cluster.services.ranges import with_service_ranges, written_ranges
from netlab.cluster.types import Cluster, Host, Network, Node, Placement, Pod
from netlab.errors import InputError, Problem
from netlab.objects.all_objects import Objects
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.kind import Fact, namespaced_types
from netlab.objects.policies import NetworkPolicy
from netlab.objects.topology import LOOPBACK_ONLY, Topology, TopologyNetwork
from netlab.objects.types import Address

if TYPE_CHECKING:
    from netlab.objects.cluster_policies import ClusterPolicy
    from netlab.objects.ingresses import IngressClass
    from netlab.objects.input import Input
    from netlab.objects.profiles import Profile
    from netlab.objects.services import Service

_Named = TypeVar("_Named", NetworkPolicy, "Service")


def resolve(
    objects: Objects, keep: Mapping[str, Placement] | None = None, services: Mapping[str, Service] | None = None
) -> Cluster:
    """Return the cluster that the objects describe; the same objects, ``keep`` and ``services`` give the same cluster.

    ``keep`` has the node and addresses of pods that run, by reference (``NAMESPACE/POD``). These pods keep them if the
    objects still allow it. ``services`` has the Services of a running lab by ``NAMESPACE/NAME``. They keep their
    addresses and ports, as an update on the API server does.

    Raises:
      InputError: if the objects do not fit together: a node, network or address is missing, used twice, or there are
        too few. It carries all problems.
    """
    cluster, problems = try_resolve(objects, keep, services=services)
    if problems:
        raise InputError(problems)
    return cluster


def resolve_input(
    found: Input, keep: Mapping[str, Placement] | None = None, services: Mapping[str, Service] | None = None
) -> tuple[Cluster, list[Problem]]:
    """Return the cluster that the objects of an input describe, and warnings about what netlab assumed.

    ``keep`` and ``services`` are those of ``resolve``.

    Raises:
      InputError: if reading or resolving found an error. It carries all problems of both.
    """
    cluster, problems = try_resolve(found.objects, keep, found.unknown, warn=True, services=services)
    every = without_read(cluster, found.problems_and(problems))
    if any(problem.severity == "error" for problem in every):
        raise InputError(every)
    return cluster, problems


def try_resolve(
    objects: Objects,
    keep: Mapping[str, Placement] | None = None,
    unknown: Collection[Fact] = (),
    *,
    warn: bool = False,
    services: Mapping[str, Service] | None = None,
) -> tuple[Cluster, list[Problem]]:
    """Return the cluster that the objects describe, and the problems of objects that do not fit together.

    If there is a problem, only the names in the cluster are right. Facts in ``unknown`` depend on fields with errors:
    no problem is reported that could vanish when these are fixed. If there is no problem, ``warn`` adds warnings about
    what netlab assumed: labels of nodes, addresses, ports.
    """
    keep = keep or {}
    written, profile, objects, of_profile = with_profile(objects)
    nodes = node_drafts(objects)
    made_up = not states_nodes(objects)
    drafts, finished, unnamed = pod_drafts(objects, nodes)
    system_pods, system_services, system_classes = _system_parts(objects, drafts)
    # System pods come last, so that no other pod moves because of them.
    stopped = objects.stopped_nodes
    placed, unplaced = place([*drafts, *system_pods], nodes, keep, stopped=stopped)
    known = stated_addresses(written, nodes, drafts, placed)
    drafts += system_pods
    topology, of_nodes = with_defaults(written, nodes, known, written_ranges(written, objects.services))
    exported = {a for of in known.pods.values() for a in of}
    underlay, more = underlay_addresses(topology, nodes, exported)
    of_nodes += more
    machines = [a for of in underlay.values() for a in of]
    topology, more = with_service_ranges(topology, machines, objects.services)
    of_nodes += more
    prefixes, more = node_prefixes(topology, nodes, known.pods, machines)
    of_nodes += more
    attached, unattached = attach(topology, drafts)
    wired = not {"nodes", "networks", "addresses"} & {*unknown}
    problems = [*(of_nodes if wired else ()), *unnamed]
    problems += [one for one in of_profile if one.severity == "error"]
    problems += unplaced if "nodes" not in unknown else []
    problems += unattached if "networks" not in unknown else []

    node_of = placed
    if "nodes" in unknown or ("places" in unknown and len(nodes) > 1):
        node_of = {d.ref: d.spec.node_name for d in drafts if d.spec.node_name}
    published, unpublished = check_host_ports(drafts, node_of, attached, made_up)
    problems += published if "networks" not in unknown else []
    own = [(d, network) for d in drafts if d.ref in placed and (network := attached.get(d.ref)) is not None]
    # No pod gets an address by itself that nodes translate for a Service.
    having = {*exported, *(address for one in keep.values() for address in one.addresses)}
    outer = (a for one in objects.services for a in (*one.external_ips, *(b.address for b in one.load_balancer)))
    free = [a for a in dict.fromkeys(outer) if a is not None and a not in having]
    others = {(n.name, f): {int(a) for a in free if a.version == f} for n in topology.networks for f in (4, 6)}
    pod_ips, more = pod_addresses(topology, own, placed, prefixes, keep, machines, others if free else None)
    problems += more if wired and "places" not in unknown else []
    allocated: tuple[Service, ...] = ()
    if objects.services or system_services:
        from netlab.cluster.services.allocation import allocate

        allocated, more = allocate((*objects.services, *system_services), topology, services or {})
        problems += more if wired else []
    classes, ingresses = (*objects.ingress_classes, *system_classes), objects.ingresses
    if ingresses:
        from netlab.objects.ingress_links import with_default_class

        ingresses, more = with_default_class(ingresses, classes)
        problems += more
    spaces, unknown_spaces = namespaces(objects), undeclared(objects)
    if system_pods:
        from netlab.cluster.services.system import namespaces_with

        of_pods = [pod.meta.namespace for pod in system_pods]
        spaces, unknown_spaces = namespaces_with(spaces, unknown_spaces, objects.namespaces, of_pods)
    unread, understood = by_profile(objects.unread, topology.policy, profile)
    isolated, of_annotations = isolated_namespaces(topology.policy, objects.namespaces)
    of_tiers: tuple[ClusterPolicy, ...] = ()
    not_read = of_tiers
    if objects.cluster_policies:
        from netlab.cluster.cluster_policies_read import cluster_policies_read

        of_tiers, not_read = cluster_policies_read(objects, topology.policy)
    cluster = Cluster(
        name=topology.name,
        networks=tuple(Network(n.name, n.traits.name, n.pod_cidrs, n.traits, n.conflist) for n in topology.networks),
        nodes=tuple(
            sorted(
                (Node(n.name, n.labels, underlay[n.name], prefixes[n.name], n.name in stopped) for n in nodes),
                key=_by_name,
            )
        ),
        hosts=tuple(sorted((Host(h.name, h.addresses, h.hostnames) for h in topology.hosts), key=_by_name)),
        namespaces=spaces,
        pods=tuple(
            sorted(
                (
                    pod_from(
                        without_host_ports(d, unpublished[d.ref]) if d.ref in unpublished else d,
                        placed.get(d.ref, nodes[0].name),
                        attached,
                        pod_ips,
                        underlay,
                        objects.unready_nodes,
                    )
                    for d in drafts
                ),
                key=by_key,
            )
        ),
        policies=by_namespace(objects.policies),
        services=allocated,
        underlay_cidrs=topology.underlay_cidrs,
        finished=tuple(finished),
        renamed=tuple(dict.fromkeys(d.workload for d in drafts if d.renamed)),
        undeclared=unknown_spaces,
        finished_workloads=tuple(dict.fromkeys(w.partition(" ")[2] for w in finished.values() if w)),
        policy=topology.policy,
        cluster_policies=of_tiers,
        cluster_policies_not_read=not_read,
        unread=unread,
        understood=understood,
        slices=objects.slices,
        endpoints=objects.endpoints,
        ingresses=ingresses,
        ingress_classes=classes,
        tls_secrets=objects.tls_secrets,
        service_cidrs=topology.service_cidrs,
        load_balancer_cidrs=topology.load_balancer_cidrs,
        node_ports=topology.node_ports,
        cluster_domain=topology.cluster_domain,
        dns=topology.dns,
        profile=profile,
        isolated_namespaces=isolated,
    )
    if topology.links:
        from netlab.cluster.links import with_links

        cluster, more = with_links(cluster, topology)
        problems += more if wired else []
    if allocated and wired and "places" not in unknown:
        from netlab.cluster.services.routes import hidden_problems

        problems += hidden_problems(cluster)
    if warn and not problems and not unknown:
        problems += [
            *of_profile,
            *made_up_label_warnings(drafts, nodes, placed),
            *unpublished_warning(drafts, unpublished),
            *empty_daemonset_warnings(cluster, objects.workloads),
            *moved_address_warnings(drafts, nodes, pod_ips, underlay, cluster.policies),
            *moved_service_warnings(objects.services, allocated, cluster.policies),
            *of_annotations,
        ]
    # All pods of a template have its problems, and each problem is reported once.
    return cluster, list(dict.fromkeys(problems))


def attach(topology: Topology, drafts: list[PodDraft]) -> tuple[dict[str, TopologyNetwork | None], list[Problem]]:
    """Return the network of every pod by its reference, None for loopback only; and the problems.

    Host-network pods, and pods of an unknown network, are left out.
    """
    networks = {network.name: network for network in topology.networks}
    attached: dict[str, TopologyNetwork | None] = {}
    problems: list[Problem] = []
    for draft in drafts:
        if draft.spec.host_network:
            continue
        name = network_of(topology, draft)
        if name == LOOPBACK_ONLY:
            attached[draft.ref] = None
        elif name in networks:
            attached[draft.ref] = networks[name]
        else:
            path = f"{draft.meta_path}.annotations.{NETWORK_ANNOTATION}"
            problems.append(draft.problem(path, f"no network {name!r} in the lab, which has {', '.join(networks)}"))
    return attached, problems


def pod_from(
    draft: PodDraft,
    node: str,
    attached: Mapping[str, TopologyNetwork | None],
    pod_ips: Mapping[str, tuple[Address, ...]],
    underlay: Mapping[str, tuple[Address, ...]],
    failed: Collection[str] = (),
) -> Pod:
    """Return the pod of a draft, its node, its network and its addresses; a pod on a ``failed`` node is not ready."""
    network = attached.get(draft.ref)
    traits = modes.HOST if draft.spec.host_network else network.traits if network else modes.NONE
    return Pod(
        namespace=draft.meta.namespace,
        name=draft.meta.name,
        labels=draft.meta.labels,
        annotations=draft.meta.annotations,
        node=node,
        attachment=traits.name,
        network=network.name if network else "",
        addresses=underlay[node] if draft.spec.host_network else pod_ips.get(draft.ref, ()),
        ports=draft.spec.ports,
        workload=draft.workload,
        source=draft.source,
        ready=draft.ready and node not in failed,
        terminating=draft.terminating,
        system=draft.system,
        hostname=draft.spec.hostname,
        subdomain=draft.spec.subdomain,
        dns_policy=draft.spec.dns_policy,
        dns_config=draft.spec.dns_config,
        host_aliases=draft.spec.host_aliases,
        traits=traits,
    )


def with_profile(objects: Objects) -> tuple[Topology, Profile | None, Objects, Sequence[Problem]]:
    """Return the Topology with its profile's choices, the profile, the objects that it leaves, and the problems."""
    topology = objects.topology or Topology()
    if not topology.profile and not objects.profiles:
        return topology, None, objects, ()
    # Imported here, as most inputs name no profile.
    from netlab.profiles import apply

    return apply.with_profile(objects)


def _system_parts(
    objects: Objects, drafts: Sequence[PodDraft]
) -> tuple[tuple[PodDraft, ...], tuple[Service, ...], tuple[IngressClass, ...]]:
    """Return the pods, Services and IngressClasses that netlab adds to the objects."""
    if not objects.wants_system:
        return (), (), ()
    from netlab.cluster.services.system import system_parts

    found = system_parts(objects, drafts)
    return found.pods, found.services, found.ingress_classes


def namespaces(objects: Objects) -> dict[str, Mapping[str, str]]:
    """Return the labels of every namespace that is declared or used, with ``kubernetes.io/metadata.name``."""
    kinds = namespaced_types(objects.found)
    labels: dict[str, Mapping[str, str]] = {o.meta.namespace: {} for kind in kinds for o in objects.of(kind)}
    labels |= {n.meta.name: n.meta.labels for n in objects.namespaces}
    return {name: {**labels[name], NAMESPACE_LABEL: name} for name in sorted(labels)}


def undeclared(objects: Objects) -> frozenset[str]:
    """Return the namespaces that objects use and the input does not declare."""
    return frozenset(namespace.meta.name for namespace in objects.namespaces if not namespace.declared)


def by_namespace(objects: Iterable[_Named]) -> tuple[_Named, ...]:
    """Return NetworkPolicies or Services by namespace, then name."""
    return tuple(sorted(objects, key=lambda one: (one.meta.namespace, one.meta.name)))


def _by_name(named: Node | Host) -> str:
    return named.name


def by_key(pod: Pod) -> tuple[str, str]:
    return pod.namespace, pod.name
