"""Names of groups: the fewest labels that all its members have and no other pod has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import combinations
from operator import and_, or_
from typing import TYPE_CHECKING

from netlab.frozen import frozen
from netlab.objects.controllers import POD_NAME, known_labels
from netlab.policy.bitsets import members

if TYPE_CHECKING:
    from netlab.cluster.types import Cluster, Pod
    from netlab.policy.groups import Group

# The most members that are named; then the number of others follows.
FEW = 3
# The most labels in a name.
_WORDS = 3
# The labels that name an application: of labels that select the same pods, readers know these best.
_APPLICATION = ("app=", "app.kubernetes.io/name=", "k8s-app=")


@frozen
class GroupName:
    """The name of a group: ``where`` is its namespaces ("" for nodes and hosts), ``what`` its members in them.

    ``namespace`` is the namespace of its pods, "" if there are several. ``size`` is the number of members, "" for one.
    If no labels select exactly its members, ``what`` names them, or has their number among those with equal labels.
    """

    where: str
    what: str
    size: str
    namespace: str = ""

    def __str__(self) -> str:
        """Return the name with its namespace: ``shop app=web``, ``shop/*``, ``shop/web-0``."""
        if self.what == "*" or (self.namespace and not self.size):
            return f"{self.where}/{self.what}"
        return f"{self.where} {self.what}".strip()

    @property
    def counted(self) -> str:
        """The name with the number of members: ``shop app=web (2 pods)``; for one endpoint, the name alone."""
        return f"{self} ({self.size})" if self.size else str(self)

    @property
    def inside(self) -> str:
        """The name without its namespace: ``app=web (2 pods)``."""
        what = "all" if self.what == "*" else self.what
        return f"{what} ({self.size})" if self.size else what


class GroupNames:
    """Names the groups of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._spaces: dict[str, int] = {}
        self._words: dict[str, int] = {}
        self._pods = cluster.pods
        self._place = {pod.ref: 1 << at for at, pod in enumerate(cluster.pods)}
        self._several = {"nodes": len(cluster.nodes) > 1, "networks": len(cluster.networks) > 1}
        for pod in cluster.pods:
            place = self._place[pod.ref]
            self._spaces[pod.namespace] = self._spaces.get(pod.namespace, 0) | place
            for word in self._words_of(pod):
                self._words[word] = self._words.get(word, 0) | place
        self._kinds = _by_label(cluster, self._spaces)

    def name(self, group: Group) -> GroupName:
        """Return the name of a group."""
        from netlab.cluster.types import Pod

        count = len(group.members)
        pods = [member for member in group.members if isinstance(member, Pod)]
        if not pods:
            kind = type(group.members[0]).__name__.lower()
            return GroupName("", _some([m.ref for m in group.members]), f"{count} {kind}s" if count > 1 else "")
        spaces = list(dict.fromkeys(pod.namespace for pod in pods))
        only = spaces[0] if len(spaces) == 1 else ""
        if count == 1:
            return GroupName(only, pods[0].name, "", only)
        where, what = self._where(spaces), self._what(pods, spaces)
        if what is None:
            where, what = f"{where}:", self._by_name(pods, spaces)
        return GroupName(where, what, f"{count} pods", only)

    def _where(self, spaces: Sequence[str]) -> str:
        if len(spaces) <= FEW:
            return ",".join(spaces)
        if len(spaces) == len(self._spaces):
            return "every namespace"
        kind = self._kinds.get(self._pods_in(spaces))
        return f"namespaces {kind}" if kind else f"{len(spaces)} namespaces ({', '.join(spaces[:FEW])}, …)"

    def _what(self, pods: Sequence[Pod], spaces: Sequence[str]) -> str | None:
        """Return the fewest words that select exactly these pods in their namespaces, labels first; None if none do."""
        wanted = self._set_of(pods)
        inside = self._pods_in(spaces)
        if wanted == inside:
            return "*"
        words = self._common(pods)
        for count in range(1, _WORDS + 1):
            for chosen in combinations(words, count):
                if reduce(and_, (self._words[word] for word in chosen), inside) == wanted:
                    return ",".join(chosen)
        return None

    def _by_name(self, pods: Sequence[Pod], spaces: Sequence[str]) -> str:
        """Return the names of the pods, or of the few others, or the number of pods among those with equal labels."""

        def called(of: Sequence[Pod]) -> str:
            return _some([pod.name if len(spaces) == 1 else pod.ref for pod in of])

        wanted, inside = self._set_of(pods), self._pods_in(spaces)
        others = [self._pods[number] for number in members(inside & ~wanted)]
        if len(pods) <= FEW:
            return called(pods)
        if len(others) <= FEW:
            return f"all but {called(others)}"
        words = self._common(pods)[:_WORDS]
        of = reduce(and_, (self._words[word] for word in words), inside).bit_count()
        return f"{len(pods)} of {of} {','.join(words) or 'pods'}: {called(pods)}"

    def _common(self, pods: Sequence[Pod]) -> list[str]:
        """Return the words that all pods share: the application, other labels, short first, then network and node."""
        shared = reduce(and_, ({*self._words_of(pod)} for pod in pods))
        return sorted(shared, key=lambda word: ("=" not in word, not word.startswith(_APPLICATION), len(word), word))

    def _words_of(self, pod: Pod) -> list[str]:
        # A label that holds the pod's own name describes no group.
        words = [f"{key}={value}" for key, value in known_labels(pod.labels).items() if key != POD_NAME]
        if not pod.selectable:
            words.append("hostNetwork" if pod.host_network else "without network")
        elif self._several["networks"]:
            words.append(f"on network {pod.network}")
        if self._several["nodes"]:
            words.append(f"on {pod.node}")
        return words

    def _set_of(self, pods: Iterable[Pod]) -> int:
        return reduce(or_, (self._place[pod.ref] for pod in pods))

    def _pods_in(self, spaces: Iterable[str]) -> int:
        return reduce(or_, (self._spaces[space] for space in spaces))


def _by_label(cluster: Cluster, pods_of: Mapping[str, int]) -> dict[int, str]:
    """Return the namespace label that selects each set of pods; the shortest if several do."""
    selected: dict[str, int] = {}
    for space, pods in pods_of.items():
        for key, value in cluster.namespaces[space].items():
            word = f"{key}={value}"
            selected[word] = selected.get(word, 0) | pods
    return {pods: word for word, pods in sorted(selected.items(), key=lambda item: (-len(item[0]), item[0]))}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= FEW else f"{', '.join(names[:FEW])}, …"
