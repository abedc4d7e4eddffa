"""An index of pods by namespace and label. It finds the pods of a Service without a look at every pod."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from netlab.cluster.types import Cluster, Pod
from netlab.objects.services import Service

_MEMO = "services.pods"
_Index = dict[tuple[str, str, str], list[Pod]]
"""The pods by namespace, label key and value, in order."""


def pods_of(cluster: Cluster, service: Service) -> Sequence[Pod]:
    """Return the pods that a Service's selector matches, in order; none without a selector."""
    if not service.selector:
        return ()
    index = _index(cluster)
    namespace = service.meta.namespace
    lists = [index.get((namespace, key, value), ()) for key, value in service.selector.items()]
    rarest = min(lists, key=len)
    if len(lists) == 1:
        return rarest
    wanted = service.selector.items()
    return [pod for pod in rarest if wanted <= pod.labels.items()]


def carry_index(before: Cluster, after: Cluster, removed: Iterable[Pod], added: Iterable[Pod]) -> None:
    """Give a cluster the index of an earlier one; ``removed`` and ``added`` are the pods that differ."""
    index: _Index | None = before.memo.get(_MEMO)
    if index is None:
        return
    # A list that changes is copied, as the earlier cluster keeps its index.
    new, copied = dict(index), set()

    def changing(pod: Pod) -> Iterable[list[Pod]]:
        for key, value in pod.labels.items():
            at = (pod.namespace, key, value)
            if at not in copied:
                new[at] = [*new.get(at, ())]
                copied.add(at)
            yield new[at]

    for pod in removed:
        for pods in changing(pod):
            at = bisect_left(pods, _key(pod), key=_key)
            if at < len(pods) and pods[at] is pod:
                del pods[at]
    for pod in added:
        for pods in changing(pod):
            insort(pods, pod, key=_key)
    after.memo[_MEMO] = new


def _index(cluster: Cluster) -> _Index:
    index: _Index | None = cluster.memo.get(_MEMO)
    if index is None:
        index = cluster.memo[_MEMO] = {}
        for pod in cluster.pods:
            for key, value in pod.labels.items():
                index.setdefault((pod.namespace, key, value), []).append(pod)
    return index


def _key(pod: Pod) -> tuple[str, str]:
    return pod.namespace, pod.name
