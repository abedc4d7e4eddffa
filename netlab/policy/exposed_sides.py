"""One side of a pod: what it admits, how wide that is, and what could change it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Literal

from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.types import Direction
from netlab.objects.unread import UnreadPolicy
from netlab.policy.decision import Match
from netlab.policy.inside_addresses import every_pod, in_families, outside_addresses, pod_ranges
from netlab.policy.openings import UNPROTECTED, AddressOpening, Openings, PodOpening, openings
from netlab.policy.port_sets import EVERY_SCTP
from netlab.policy.tiers import NETWORK_POLICY, tiers_in_use
from netlab.policy.unread import selecting

Level = Literal["everything", "cluster", "new namespaces", "new pods", "nothing"]
LEVELS: tuple[Level, ...] = ("everything", "cluster", "new namespaces", "new pods", "nothing")
"""How wide a side is open to pods, the widest first.

``everything``: no policy isolates it. ``cluster``: every pod of every namespace that may come. ``new namespaces``:
some pods of namespaces that do not exist yet. ``new pods``: pods of certain namespaces only.
"""


@frozen
class ExposedSide:
    """One side of a group. ``unenforced`` says why no policy is enforced on it, "" if policies are.

    ``unread`` are policies that netlab does not read and that could change the side. ``tiers`` are cluster-wide
    policies that could: openings are those of NetworkPolicies alone.
    """

    openings: Openings
    unenforced: str = ""
    unread: tuple[UnreadPolicy, ...] = ()
    tiers: tuple[ClusterPolicy, ...] = ()

    @property
    def unknown(self) -> tuple[UnreadPolicy | ClusterPolicy, ...]:
        """The policies that could change the side."""
        return (*self.unread, *self.tiers)

    @property
    def unprotected(self) -> bool:
        """Whether it is known that no policy keeps anything from the side."""
        return not self.openings.isolated and not self.tiers

    @property
    def content(self) -> Hashable:
        """What the side admits, without the rules that do."""
        of = self.openings
        pods = tuple((one.peers, one.ports) for one in of.pods)
        addresses = tuple((one.addresses, one.ports) for one in of.addresses)
        return of.isolated, pods, addresses, self.unenforced, tuple(map(id, self.unknown))

    def level(self, cluster: Cluster) -> Level:
        """Return how wide the side is open to pods."""
        # The entry keeps the side, as the key is an identity.
        known: dict[int, tuple[ExposedSide, Level]] = cluster.memo.setdefault("policy.exposed_levels", {})
        if id(self) not in known:
            known[id(self)] = self, self._level(cluster)
        return known[id(self)][1]

    def _level(self, cluster: Cluster) -> Level:
        if not self.openings.isolated:
            return "everything"
        if any(one.peers.everything for one in self.openings.pods) or self.pods_by_address(cluster):
            return "cluster"
        if any(one.peers.new_namespaces(cluster) for one in self.openings.pods):
            return "new namespaces"
        return "new pods" if self.openings.pods or self.some_by_address(cluster) else "nothing"

    def pods_by_address(self, cluster: Cluster) -> tuple[AddressOpening, ...]:
        """Return the openings that have the addresses of all pods that may come, in some IP family."""
        return tuple(one for one in self.openings.addresses if every_pod(cluster, one.addresses))

    def some_by_address(self, cluster: Cluster) -> tuple[AddressOpening, ...]:
        """Return the openings that have the addresses of some pods that may come, and not of all."""
        if cluster.policy.ip_block_pods == "ignore":
            return ()
        return tuple(
            one
            for one in self.openings.addresses
            if one.addresses & pod_ranges(cluster) and not every_pod(cluster, one.addresses)
        )

    def outside(self, cluster: Cluster) -> tuple[AddressOpening, ...]:
        """Return the openings that have addresses outside of the cluster, as policies have them.

        They may have addresses of pods and nodes too, and have those of the cluster's IP families only.
        """
        found = [replace(one, addresses=in_families(cluster, one)) for one in self.openings.addresses]
        return tuple(one for one in found if one.addresses & outside_addresses(cluster))

    def is_outside(self, cluster: Cluster, one: AddressOpening) -> bool:
        """Say whether an opening has addresses outside of the cluster."""
        return bool(in_families(cluster, one) & outside_addresses(cluster))


def exposed_side(cluster: Cluster, pod: Pod, direction: Direction) -> ExposedSide:
    """Return one side of a pod: what it admits, as far as policies are enforced on it."""
    why = _unenforced(cluster, pod, direction)
    of = UNPROTECTED if why else openings(cluster, pod, direction)
    if cluster.policy.sctp == "drop" and pod.selectable and pod.traits.attachment.enforced:
        of = _without_sctp(cluster, of)
    admits = bool(of.pods or of.addresses)
    unread = tuple(
        {
            id(one.policy): one.policy
            for one in selecting(cluster, pod)
            # It could deny what the side admits, or admit what the side does not.
            if (admits and direction in one.subject.denies) or (of.isolated and direction in one.subject.allows)
        }.values()
    )
    known: dict[Hashable, ExposedSide] = cluster.memo.setdefault("policy.exposed_sides", {})
    tiers = () if why else _changing(cluster, pod, direction, isolated=of.isolated)
    key = (id(of), why, tuple(map(id, unread)), tuple(map(id, tiers)))
    if key not in known:
        known[key] = ExposedSide(of, why, unread, tiers)
    return known[key]


def _changing(cluster: Cluster, pod: Pod, direction: Direction, *, isolated: bool) -> tuple[ClusterPolicy, ...]:
    """Return the cluster-wide policies that could decide otherwise than NetworkPolicies about a side of a pod."""
    if not cluster.cluster_policies:
        return ()
    return tuple(
        policy
        for tier in tiers_in_use(cluster)
        if tier is not NETWORK_POLICY and not (isolated and tier.name == "Baseline")
        for policy in tier.selecting(cluster, direction, pod)
        if any(rule.action == "deny" or (isolated and rule.action == "allow") for rule in policy.rules(direction))
    )


def _without_sctp(cluster: Cluster, found: Openings) -> Openings:
    """Return openings without SCTP, which nodes drop (``sctp: drop``)."""
    known: dict[int, tuple[Openings, Openings]] = cluster.memo.setdefault("policy.openings_without_sctp", {})
    if id(found) not in known:
        pods = tuple(replace(one, ports=left) for one in found.pods if (left := one.ports - EVERY_SCTP))
        addresses = tuple(replace(one, ports=left) for one in found.addresses if (left := one.ports - EVERY_SCTP))
        # The entry keeps both, as the key is an identity.
        known[id(found)] = found, replace(found, pods=pods, addresses=addresses)
    return known[id(found)][1]


def united(sides: Sequence[ExposedSide]) -> ExposedSide:
    """Return sides with the same content as one, with the policies and rules of all."""
    first, *others = list({id(one): one for one in sides}.values())
    if not others:
        return first
    every = [one.openings for one in (first, *others)]
    policies = {id(policy): policy for of in every for policy in of.policies}
    pods = [replace(one, rules=_rules([of.pods[at] for of in every])) for at, one in enumerate(first.openings.pods)]
    addresses = [
        replace(one, rules=_rules([of.addresses[at] for of in every]))
        for at, one in enumerate(first.openings.addresses)
    ]
    return replace(first, openings=Openings(tuple(policies.values()), tuple(pods), tuple(addresses)))


def _rules(found: Sequence[PodOpening | AddressOpening]) -> tuple[Match, ...]:
    return tuple({id(match): match for one in found for match in one.rules}.values())


def _unenforced(cluster: Cluster, pod: Pod, direction: Direction) -> str:
    if pod.loopback_only:
        return "the pod has a loopback interface only"
    if pod.host_network:
        return "the pod is in its node's network namespace, and no policy selects it"
    if cluster.policy.enforcement != "all":
        return "nothing enforces policies (enforcement: none)"
    if not pod.traits.attachment.enforced:
        return f"nothing enforces policies on {pod.attachment} network {pod.network!r}"
    if direction == "egress" and cluster.policy.directions == "ingress-only":
        return "policies do not judge egress (directions: ingress-only)"
    return ""
