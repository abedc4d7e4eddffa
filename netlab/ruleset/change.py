"""What two clusters differ by, as far as rulesets depend on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from operator import is_not
from typing import Generic, TypeVar

from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy

_T = TypeVar("_T")


@frozen
class Exchange(Generic[_T]):
    """What goes and what comes; one that changed does both, as its old and its new value."""

    gone: Sequence[_T] = ()
    come: Sequence[_T] = ()

    def __bool__(self) -> bool:
        return bool(self.gone or self.come)


@frozen
class Change:
    """The pods, policies and namespaces (by name, with their new labels or None) that differ between two clusters.

    ``before`` is None where there was no cluster.
    """

    before: Cluster | None
    after: Cluster
    pods: Exchange[Pod]
    policies: Exchange[NetworkPolicy]
    namespaces: Mapping[str, Mapping[str, str] | None]

    def of(self, sequence: Callable[[Cluster], Sequence[_T]], key: Callable[[_T], str]) -> Exchange[_T]:
        """Return what goes and comes of any other sequence of the clusters, whose items have a key each."""
        return _exchange(sequence(self.before) if self.before else (), sequence(self.after), key)


def change_between(old: Cluster | None, new: Cluster) -> Change:
    """Return what differs; everything where there was no cluster. What is the same object is not looked at."""
    before = old.namespaces if old else {}
    changed: dict[str, Mapping[str, str] | None] = {name: None for name in before if name not in new.namespaces}
    changed |= {name: labels for name, labels in new.namespaces.items() if before.get(name) != labels}
    return Change(
        old,
        new,
        _exchange(old.pods if old else (), new.pods, lambda pod: pod.ref),
        _exchange(old.policies if old else (), new.policies, lambda policy: policy.meta.key),
        changed,
    )


def _exchange(old: Sequence[_T], new: Sequence[_T], key: Callable[[_T], str]) -> Exchange[_T]:
    old, new = _trimmed(old, new)
    gone = {key(one): one for one in _others(old, new)}
    come = {key(one): one for one in _others(new, old)}
    for name in [name for name, one in come.items() if gone.get(name) == one]:
        del gone[name], come[name]
    return Exchange(tuple(gone.values()), tuple(come.values()))


def _trimmed(old: Sequence[_T], new: Sequence[_T]) -> tuple[Sequence[_T], Sequence[_T]]:
    """Return two sequences without what both begin and end with: of ten thousand pods nearly all are the same."""
    if old is new:
        return (), ()
    least = min(len(old), len(new))
    first = next(compress(range(least), map(is_not, old, new)), least)
    most = least - first
    last = next(compress(range(most), map(is_not, reversed(old), reversed(new))), most)
    return old[first : len(old) - last], new[first : len(new) - last]


def _others(these: Iterable[_T], those: Iterable[_T]) -> list[_T]:
    known = set(map(id, those))
    return [one for one in these if id(one) not in known]
