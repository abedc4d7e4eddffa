"""The documents of a lab that mirrors a cluster: those that ``-f cluster:`` reads, without what the lab cannot have.

- A pod that is Pending and has no address yet has no network. So it is not in the lab until it has an address.
- A hidden object is one that the lab refused. In place of a hidden policy there is one that makes verdicts unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.mirror.inventory import Inventory
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.kind import get
from netlab.objects.meta import Key, key_of
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import Document, Source
from netlab.sources.cluster_kinds import Resource
from netlab.sources.cluster_objects import Reading, unlisted_policies

Hidden = Mapping[Key, Document]
"""Objects that the lab refused. One that changed since is not hidden any more."""


@frozen
class Read:
    """The documents of a cluster, what could not be read, and the pods that have no network yet."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]
    waiting: int


def read(inventory: Inventory, name: str, namespace: str, only: Collection[str], hidden: Hidden) -> Read:
    """Return the documents of an inventory; the names are those of ``Reading``.

    Raises:
      HostError: if something is needed for the first time, and the server does not answer.
    """
    shown = _Shown(inventory, name, hidden)
    inventory.begin()
    documents, problems = Reading(shown, name, namespace, only).read()
    inventory.finish()
    return Read((*documents, *shown.in_place), tuple(problems), shown.waiting)


class _Shown:
    """An inventory without hidden objects and pods without a network; ``in_place`` has what stands for policies."""

    def __init__(self, inventory: Inventory, name: str, hidden: Hidden) -> None:
        self._inventory = inventory
        self._source = Source(name)
        self._hidden = hidden
        self.in_place: list[Document] = []
        self.waiting = 0

    def kinds(self) -> Sequence[Resource]:
        return self._inventory.kinds()

    def items(self, resource: Resource, namespace: str = "") -> Sequence[Document]:
        found = self._inventory.items(resource, namespace)
        if resource.kind == "Pod":
            having = [one for one in found if not _waits(one)]
            self.waiting += len(found) - len(having)
            found = having
        if not self._hidden:
            return found
        hidden = [one for one in found if self._hidden.get(key_of(one)) is one]
        if _decides(resource):
            spaces = dict.fromkeys(key_of(one).namespace if resource.namespaced else "" for one in hidden)
            self.in_place += [unlisted_policies(resource, space, self._source) for space in spaces]
        left = {id(one) for one in hidden}
        return [one for one in found if id(one) not in left]

    def one(self, resource: Resource, namespace: str, name: str) -> Document | None:
        found = self._inventory.one(resource, namespace, name)
        return None if found is not None and self._hidden.get(key_of(found)) is found else found


def _waits(pod: Document) -> bool:
    status = pod.data.get("status")
    found = status if isinstance(status, dict) else {}
    return found.get("phase") == "Pending" and not (found.get("podIP") or found.get("podIPs"))


def _decides(resource: Resource) -> bool:
    """Say whether objects of a kind are policies. Of kinds that netlab does not read, only policies are listed."""
    known = get(resource.kind)
    return known is None or known.type in (NetworkPolicy, ClusterPolicy)
