"""One input under several profiles, with the same addresses in each: what ``compare`` compares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from netlab.cluster.resolve import resolve, try_resolve
from netlab.cluster.types import Cluster, Placement, address_of
from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.all_objects import Objects
from netlab.objects.topology import Topology
from netlab.objects.types import Document
from netlab.quantity import few

# The most pods that a note names.
_FEW = 3


@frozen
class Reading:
    """One input with the choices of one profile.

    ``cluster`` is None if the input does not fit the profile; ``problems`` then has the errors. ``notes`` are what is
    not the same as in the other readings, a sentence each. ``objects`` have the profile, and the ranges of the base.
    """

    name: str
    objects: Objects
    cluster: Cluster | None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def readings(objects: Objects, names: Iterable[str]) -> tuple[Cluster, list[Reading]]:
    """Return the cluster of the objects without a profile, and a reading for each profile, in order.

    The ranges and addresses of each reading are those of the cluster without a profile, as policies may name addresses
    and each CNI has another default range.

    Raises:
      InputError: if the objects do not fit together without a profile.
    """
    topology = replace(objects.topology or Topology(), profile="")
    base = resolve(_with_topology(objects, topology))
    pinned = _with_ranges(topology, base)
    return base, [_reading(objects, topology, pinned, base, name) for name in names]


def recorded(reading: Reading) -> Objects:
    """Return the objects of a reading with documents that say all of it: the profile, and the ranges.

    A lab keeps documents, and what it decides from them later must be the same.
    """
    from netlab.profiles.documents import with_profile

    cluster = reading.cluster
    assert cluster is not None
    documents = with_profile(reading.objects.documents, reading.name)
    changed = [_with_written_ranges(one, cluster) if one.kind == "Topology" else one for one in documents]
    return replace(reading.objects, documents=tuple(changed))


def _with_written_ranges(document: Document, cluster: Cluster) -> Document:
    spec: dict[str, Any] = dict(document.data.get("spec") or {})
    networks = spec.get("networks") or [{"name": one.name} for one in cluster.networks]
    cidrs = {one.name: [str(cidr) for cidr in one.pod_cidrs] for one in cluster.networks}
    spec["networks"] = [{**one, "podCIDRs": cidrs[one.get("name", "default")]} for one in networks]
    spec["underlayCIDRs"] = [str(cidr) for cidr in cluster.underlay_cidrs]
    spec["serviceCIDRs"] = [str(cidr) for cidr in cluster.service_cidrs]
    spec["loadBalancerCIDRs"] = [str(cidr) for cidr in cluster.load_balancer_cidrs]
    return replace(document, data={**document.data, "spec": spec})


def written_wiring(objects: Objects) -> tuple[str, ...]:
    """Return the networks whose mode the Topology writes: no profile changes their wiring."""
    networks = objects.topology.networks if objects.topology is not None else ()
    return tuple(one.name for one in networks if "mode" not in one.unwritten)


def _reading(objects: Objects, topology: Topology, pinned: Topology, base: Cluster, name: str) -> Reading:
    # A host-network pod has its node's addresses, which are not its own to keep.
    keep = {pod.ref: Placement(pod.node, pod.addresses if pod.selectable else ()) for pod in base.pods}
    services = {one.meta.key: one for one in base.services}
    # Nodes may state ranges outside of those that the defaults make: then the second Topology fits.
    for one in (pinned, topology):
        found = _with_topology(objects, replace(one, profile=name))
        cluster, problems = try_resolve(found, keep, services=services)
        errors = tuple(problem for problem in problems if problem.severity == "error")
        if not errors:
            return Reading(name, found, cluster, notes=tuple(_notes(base, cluster)))
    return Reading(name, found, None, errors)


def _with_topology(objects: Objects, topology: Topology) -> Objects:
    return replace(objects, found={**objects.found, Topology: (topology,)})


def _with_ranges(topology: Topology, base: Cluster) -> Topology:
    """Return a Topology that writes the ranges that a cluster has."""
    cidrs = {one.name: one.pod_cidrs for one in base.networks}
    networks = tuple(
        replace(one, pod_cidrs=cidrs[one.name], unwritten=one.unwritten - {"podCIDRs"}) for one in topology.networks
    )
    return replace(
        topology,
        networks=networks,
        underlay_cidrs=base.underlay_cidrs,
        service_cidrs=base.service_cidrs,
        load_balancer_cidrs=base.load_balancer_cidrs,
        unwritten=frozenset(),
    )


def _notes(base: Cluster, cluster: Cluster) -> Iterable[str]:
    """Yield what is not the same in a reading as in the cluster without a profile."""
    left = [family for family in base.families if family not in cluster.families]
    if left:
        yield f"no IPv{' and no IPv'.join(map(str, left))}: these pairs are compared between the others"
    before = base.by_ref
    moved = [
        one.ref
        for one in cluster.by_ref.values()
        for family in cluster.families
        if one.ref in before and address_of(one, family) != address_of(before[one.ref], family)
    ]
    if moved:
        yield f"other addresses for {_some(list(dict.fromkeys(moved)))}: an ipBlock may mean another endpoint"


def _some(refs: Sequence[str]) -> str:
    return few(refs, _FEW)
