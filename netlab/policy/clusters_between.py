"""Clusters between two inputs: the new one with some of the changes of objects and fields taken back.

The evaluator says with them which changes a verdict depends on. Each is resolved from documents, as any input is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from netlab.cluster.flows import Flow, service_flow
from netlab.cluster.outside import with_hosts
from netlab.cluster.resolve import by_namespace, try_resolve
from netlab.cluster.resolve_change import resolve_change
from netlab.cluster.types import Cluster, Host, Placement, address_of
from netlab.frozen import NamedTuple, frozen
from netlab.objects.all_objects import Objects
from netlab.objects.changed_objects import ChangedObject, FieldChange, changed_objects
from netlab.objects.decoders import decoded
from netlab.objects.load import decode
from netlab.objects.meta import Key, key_of
from netlab.objects.policies import NetworkPolicy
from netlab.objects.services import Service
from netlab.objects.types import Document
from netlab.policy.cluster_diff import Ends
from netlab.policy.evaluate import evaluate
from netlab.policy.tiers.tier import AskedPort
from netlab.verdicts import Expected

# The most clusters that are kept, and the most documents that all of them are made from.
_KEPT, _DOCUMENTS = 128, 1_000_000
# How much less time a cluster takes if only policies differ.
_CHEAPER = 5
# A small cluster costs as much as one of so many documents.
_LEAST = 100


def is_network_policy(key: Key) -> bool:
    """Say whether an object is a NetworkPolicy of Kubernetes."""
    return key.kind == "NetworkPolicy" and key.api_version == "networking.k8s.io/v1"


class ExhaustedError(Exception):
    """Too many clusters were asked for."""


@frozen
class Version:
    """One side of a comparison: its objects, and the cluster that they describe."""

    objects: Objects
    cluster: Cluster


class Part(NamedTuple):
    """A part of a change: the number of a changed object, and of one of its changed fields; None stands for all."""

    object: int
    field: int | None = None


def placements(*clusters: Cluster) -> dict[str, Placement]:
    """Return the nodes and addresses of the pods of clusters; the first cluster that has a pod counts."""
    found: dict[str, Placement] = {}
    for cluster in clusters:
        for pod in cluster.pods:
            # A host-network pod has its node's addresses, which are no other pod's to keep.
            found.setdefault(pod.ref, Placement(pod.node, pod.addresses if pod.selectable else ()))
    return found


class ClustersBetween:
    """Makes clusters between two versions. ``changed`` are the objects that differ.

    ``hosts`` are outside hosts that both clusters have and their objects do not.
    """

    def __init__(self, old: Version, new: Version, hosts: tuple[Host, ...] = (), most: int = _DOCUMENTS) -> None:
        self.old, self.new = old, new
        self._hosts = hosts
        self.changed: list[ChangedObject] = changed_objects(old.objects.documents, new.objects.documents)
        self._fields: dict[int, tuple[FieldChange, ...]] = {}
        self._keep = placements(old.cluster, new.cluster)
        self._services = {one.meta.key: one for one in (*new.cluster.services, *old.cluster.services)}
        self._documents = list(new.objects.documents)
        self._places: dict[Key, list[int]] = {}
        for at, document in enumerate(self._documents):
            self._places.setdefault(key_of(document), []).append(at)
        self._known: dict[frozenset[Part], Cluster | None] = {frozenset(): new.cluster}
        self._left = most

    @property
    def size(self) -> int:
        """The number of documents of a cluster."""
        return len(self._documents)

    def fields(self, number: int) -> tuple[FieldChange, ...]:
        """Return the fields of a changed object that differ."""
        if number not in self._fields:
            self._fields[number] = self.changed[number].fields()
        return self._fields[number]

    def cluster(self, reverted: frozenset[Part]) -> Cluster | None:
        """Return the new cluster with parts of the change taken back; None if such objects are not valid.

        Raises:
          ExhaustedError: if all clusters together would be made from too many documents.
        """
        if reverted not in self._known:
            while len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[reverted] = self._with_policies(reverted) or self._made(reverted)
        return self._known[reverted]

    def verdict(self, reverted: frozenset[Part], ends: Ends, asked: AskedPort) -> Expected | str | None:
        """Return the verdict of a pair in such a cluster: None if an end is not there, "" if there is no cluster."""
        cluster = self.cluster(reverted)
        if cluster is None:
            return ""
        flow = flow_by_name(cluster, ends, asked)
        return None if flow is None else evaluate(cluster, flow).verdict

    def documents(self, reverted: Iterable[Part]) -> list[Document]:
        """Return the documents of the new version with parts of the change taken back."""
        found: list[Document | None] = list(self._documents)
        for number, fields in _by_object(reverted).items():
            before = self._before(number, fields)
            places = self._places.get(self.changed[number].key, ())
            for at in places:
                found[at] = None
            if places:
                found[places[-1]] = before
            else:
                found.append(before)
        return [one for one in found if one is not None]

    def _spend(self, documents: int) -> None:
        self._left -= max(documents, _LEAST)
        if self._left < 0:
            raise ExhaustedError

    def _with_policies(self, reverted: frozenset[Part]) -> Cluster | None:
        """Return the cluster if only valid NetworkPolicies of known namespaces differ, which needs no resolving."""
        by_object = _by_object(reverted)
        if any(not is_network_policy(self.changed[number].key) for number in by_object):
            return None
        self._spend(len(self._documents) // _CHEAPER)
        policies = {one.meta.key: one for one in self.new.cluster.policies}
        for number, fields in by_object.items():
            key = self.changed[number].key
            policies.pop(f"{key.namespace}/{key.name}", None)
            before = self._before(number, fields)
            if before is None:
                continue
            _, policy, problems = decoded(before)
            wrong = any(one.severity == "error" for one in problems or ())
            if wrong or not isinstance(policy, NetworkPolicy) or key.namespace not in self.new.cluster.namespaces:
                return None
            policies[policy.meta.key] = policy
        return replace(self.new.cluster, policies=by_namespace(policies.values()))

    def _before(self, number: int, fields: Sequence[int | None]) -> Document | None:
        """Return the document of an object with some fields as they were, or all; None if it was not there."""
        changed = self.changed[number]
        if None in fields or changed.old is None:
            return changed.old
        own = self.fields(number)
        return changed.without([own[at] for at in fields if at is not None])

    def _made(self, reverted: frozenset[Part]) -> Cluster | None:
        self._spend(len(self._documents))
        objects, problems = decode(self.documents(reverted))
        if any(one.severity == "error" for one in problems):
            return None
        cluster = resolve_change(self.new.cluster, self.new.objects, objects)
        if cluster is not None:
            return cluster
        cluster, problems = try_resolve(objects, self._keep, services=self._services)
        if any(one.severity == "error" for one in problems):
            return None
        return with_hosts(cluster, self._hosts)


def _by_object(parts: Iterable[Part]) -> dict[int, list[int | None]]:
    """Return the fields of parts by the numbers of their objects."""
    found: dict[int, list[int | None]] = {}
    for part in parts:
        found.setdefault(part.object, []).append(part.field)
    return found


def flow_by_name(cluster: Cluster, ends: Ends, asked: AskedPort) -> Flow | None:
    """Return the flow between the endpoints of a cluster that have the names of ``ends``; None if one is missing."""
    source, end = ends
    family, protocol, port = asked
    own = cluster.by_ref.get(source.ref)
    if own is None or family not in cluster.families:
        return None
    if not isinstance(end, Service):
        to = cluster.by_ref.get(end.ref)
        return None if to is None else Flow(own, to, family, protocol, port, address_of(to, family))
    for service in cluster.services:
        if service.meta.key == end.meta.key and any(
            (one.protocol, one.port) == (protocol, port) for one in service.ports
        ):
            return service_flow(own, service, protocol, port, family)
    return None
