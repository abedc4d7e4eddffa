"""Pods by namespace and label, so that the pods of a Service are found without reading all pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netlab.cluster.types import Cluster, Pod
from netlab.objects.services import Service

_Label = tuple[str, str, str]
"""A namespace, a key and a value."""


def pods_of(cluster: Cluster, service: Service) -> Sequence[Pod]:
    """Return the pods that a Service's selector matches, in order; none without a selector."""
    if not service.selector:
        return ()
    index = _index(cluster)
    own = service.meta.namespace
    lists = [index.get((own, key, value), ()) for key, value in service.selector.items()]
    rarest = min(lists, key=len)
    if len(lists) == 1:
        return rarest
    wanted = service.selector.items()
    return [pod for pod in rarest if wanted <= pod.labels.items()]


def _index(cluster: Cluster) -> Mapping[_Label, Sequence[Pod]]:
    """Return the pods by the labels that some Service selects by."""
    found: dict[_Label, list[Pod]] | None = cluster.memo.get("services.pods")
    if found is None:
        found = cluster.memo["services.pods"] = {}
        for service in cluster.services:
            for key, value in service.selector.items():
                found[service.meta.namespace, key, value] = []
        spaces = {namespace for namespace, _, _ in found}
        for pod in cluster.pods:
            if pod.namespace in spaces:
                for key, value in pod.labels.items():
                    of = found.get((pod.namespace, key, value))
                    if of is not None:
                        of.append(pod)
    return found
