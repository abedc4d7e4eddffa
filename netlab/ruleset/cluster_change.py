"""The difference of two clusters, as far as rulesets depend on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from netlab.cluster.only_in import only_in
from netlab.cluster.policies_in_force import policies_in_force
from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy

_T = TypeVar("_T")


@frozen
class ItemChanges(Generic[_T]):
    """The items that were removed and added; a changed item is in both, with its old and its new value."""

    removed: Sequence[_T] = ()
    added: Sequence[_T] = ()

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)


@frozen
class ClusterChange:
    """The pods, policies and namespaces that differ between two clusters.

    ``before`` is None for the first cluster. ``namespaces`` has the new labels by name, None for a removed namespace.
    """

    before: Cluster | None
    after: Cluster
    pods: ItemChanges[Pod]
    policies: ItemChanges[NetworkPolicy]
    namespaces: Mapping[str, Mapping[str, str] | None]

    def items(self, sequence: Callable[[Cluster], Sequence[_T]], key: Callable[[_T], str]) -> ItemChanges[_T]:
        """Return the changes of any other sequence of the clusters; ``key`` returns an item's unique name."""
        return _item_changes(sequence(self.before) if self.before else (), sequence(self.after), key)


def cluster_change(old: Cluster | None, new: Cluster) -> ClusterChange:
    """Return the difference of two clusters; without an old cluster everything is added.

    Items that are the same object in both clusters are not compared.
    """
    before = old.namespaces if old else {}
    changed: dict[str, Mapping[str, str] | None] = {name: None for name in before if name not in new.namespaces}
    changed |= {name: labels for name, labels in new.namespaces.items() if before.get(name) != labels}
    return ClusterChange(
        old,
        new,
        _item_changes(old.pods if old else (), new.pods, lambda pod: pod.ref),
        _item_changes(policies_in_force(old) if old else (), policies_in_force(new), lambda policy: policy.meta.key),
        changed,
    )


def _item_changes(old: Sequence[_T], new: Sequence[_T], key: Callable[[_T], str]) -> ItemChanges[_T]:
    only_old, only_new = only_in(old, new)
    removed = {key(item): item for item in only_old}
    added = {key(item): item for item in only_new}
    for name in [name for name, item in added.items() if removed.get(name) == item]:
        del removed[name], added[name]
    return ItemChanges(tuple(removed.values()), tuple(added.values()))
