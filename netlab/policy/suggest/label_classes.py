"""Classes of pods with the same namespace and labels, and the selectors that select exactly some of them.

Policies cannot tell the pods of a class apart by labels. Labels that differ between the pods of one workload, or with
each template, are left out: a policy with them would soon select no pod.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import combinations
from operator import and_, or_

from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.controllers import KEYS
from netlab.objects.selectors import LabelSelector, Requirement
from netlab.policy import bitsets

# The most labels that a selector of shared labels has.
_MOST = 3
# The most labels of a class that are tried in combinations.
_MOST_TRIED = 12
# Labels that say what a workload is, the best first.
_BEST = (
    *("app.kubernetes.io/name", "app", "k8s-app", "name", "app.kubernetes.io/instance", "app.kubernetes.io/component"),
    *("component", "tier", "role"),
)
# Labels that change with a release of the same workload.
_WORST = ("version", "release", "heritage", "chart", "helm.sh/chart", "app.kubernetes.io/version", "revision")


@frozen
class LabelClass:
    """Pods with the same namespace and the same lasting labels; ``number`` is its place among all classes."""

    number: int
    namespace: str
    labels: Mapping[str, str]
    pods: tuple[Pod, ...]

    @property
    def name(self) -> str:
        """The name of the class: that of its only workload, or of its first pod."""
        workloads = {pod.workload for pod in self.pods}
        only = next(iter(workloads)) if len(workloads) == 1 else ""
        return only.rpartition("/")[2] if only else self.pods[0].name

    @property
    def ref(self) -> str:
        """The name of the class with its namespace."""
        return f"{self.namespace}/{self.name}"


class LabelClasses:
    """All classes of a cluster's pods that selectors can select. A set of classes is an integer (``bitsets``)."""

    def __init__(self, cluster: Cluster) -> None:
        found: dict[tuple[str, frozenset[tuple[str, str]]], list[Pod]] = {}
        for pod in cluster.pods:
            if pod.selectable:
                found.setdefault((pod.namespace, frozenset(_lasting(pod.labels).items())), []).append(pod)
        self.all = tuple(
            LabelClass(number, namespace, dict(sorted(labels)), tuple(pods))
            for number, ((namespace, labels), pods) in enumerate(found.items())
        )
        self._of_pod = {pod.ref: one for one in self.all for pod in one.pods}
        self._in_namespace: dict[str, int] = {}
        self._with_label: dict[tuple[str, str], int] = {}
        self._with_key: dict[str, int] = {}
        for one in self.all:
            bit = 1 << one.number
            self._in_namespace[one.namespace] = self._in_namespace.get(one.namespace, 0) | bit
            for key, value in one.labels.items():
                self._with_label[key, value] = self._with_label.get((key, value), 0) | bit
                self._with_key[key] = self._with_key.get(key, 0) | bit

    def of(self, pod: Pod) -> LabelClass | None:
        """Return the class of a pod, None for a pod that no selector selects."""
        return self._of_pod.get(pod.ref)

    def in_namespace(self, namespace: str) -> int:
        """Return the set of classes of a namespace."""
        return self._in_namespace.get(namespace, 0)

    def shared(self, wanted: int) -> LabelSelector | None:
        """Return the fewest labels that select exactly a set of classes of one namespace, None if none do."""
        members = self.members(wanted)
        inside = self.in_namespace(members[0].namespace)
        common = reduce(and_, (one.labels.items() for one in members))
        words = sorted(common, key=_rank)[:_MOST_TRIED]
        lasting = {word for word in words if word[0] not in _WORST}
        for count in range(1, min(_MOST, len(words)) + 1):
            for chosen in combinations(words, count):
                if lasting and lasting.isdisjoint(chosen):
                    continue
                if reduce(and_, (self._with_label[word] for word in chosen), inside) == wanted:
                    return LabelSelector(tuple(sorted(chosen)))
        return None

    def only(self, number: int) -> LabelSelector:
        """Return a selector that selects exactly one class of its namespace."""
        found = self.shared(1 << number)
        if found is not None:
            return found
        one = self.all[number]
        inside = self.in_namespace(one.namespace)
        words = tuple(one.labels.items())
        left = reduce(and_, (self._with_label[word] for word in words), inside) & ~(1 << number)
        absent: list[str] = []
        # The other classes have all labels of this one, so each has a key more.
        for key in sorted(self._with_key, key=lambda key: (_rank((key, "")), key)):
            if left and key not in one.labels and self._with_key[key] & left:
                absent.append(key)
                left &= ~self._with_key[key]
        return LabelSelector(tuple(sorted(words)), tuple(Requirement(key, "DoesNotExist") for key in absent))

    def selectors(self, wanted: int) -> list[LabelSelector]:
        """Return selectors that together select exactly a set of classes of one namespace: one if possible."""
        members = self.members(wanted)
        if len(members) == 1:
            return [self.only(members[0].number)]
        found = self.shared(wanted) or self._one_of(wanted)
        return [found] if found is not None else [self.only(one.number) for one in members]

    def _one_of(self, wanted: int) -> LabelSelector | None:
        """Return a selector by the values of one label that selects exactly a set of classes, None if none does."""
        members = self.members(wanted)
        inside = self.in_namespace(members[0].namespace)
        for key in sorted(reduce(and_, (one.labels.keys() for one in members)), key=lambda key: _rank((key, ""))):
            values = sorted({one.labels[key] for one in members})
            if reduce(or_, (self._with_label[key, value] & inside for value in values)) == wanted:
                return LabelSelector((), (Requirement(key, "In", tuple(values)),))
        return None

    def members(self, found: int) -> Sequence[LabelClass]:
        """Return the classes of a set."""
        return [self.all[number] for number in bitsets.members(found)]


def _lasting(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key not in KEYS}


def _rank(word: tuple[str, str]) -> tuple[int, int, tuple[str, str]]:
    key, value = word
    place = _BEST.index(key) if key in _BEST else len(_BEST)
    return (place if key not in _WORST else len(_BEST) + 1, len(key) + len(value), word)
