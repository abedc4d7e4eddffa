"""Dumps of clusters: support bundles of troubleshoot.sh, and what ``oc adm inspect`` writes, as must-gather does.

A support bundle has arrays of objects below ``cluster-resources``: custom resources, and in old versions, or where the
collector names namespaces, objects without ``kind`` and ``apiVersion``. Then the name of the file or of its folder says
the kind. Elsewhere such an array is an error or no object, as for kubectl.

Both have a list of NetworkPolicies for each namespace, also an empty one. Where it is missing, it was not gathered.

Source: pkg/collect/cluster_resources.go of replicatedhq/troubleshoot, pkg/cli/admin/inspect of openshift/oc.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from netlab.objects.kind import deletable

_FOLDER = "cluster-resources"


def items_of(value: list[Any], file: str) -> list[dict[str, Any]] | None:
    """Return the objects of an array in a file of a support bundle; None for another file, or other items."""
    *folders, name = file.split("/")
    if _FOLDER not in folders or not value or not all(isinstance(item, dict) for item in value):
        return None
    if all(_has(item, "kind") and _has(item, "apiVersion") for item in value):
        return value
    inside = [*folders[folders.index(_FOLDER) + 1 :], os.path.splitext(name)[0]]
    # Folders have the names of kinds in kubectl, or nearly: "pods", "network-policy".
    kind = next((one for one in deletable() if inside[0].replace("-", "") in one.names), None)
    if kind is None or len(inside) > 2 or not all(isinstance(item.get("metadata"), dict) for item in value):
        return None
    return [{"apiVersion": kind.api_version, "kind": kind.name, **item} for item in value]


def without_policies(files: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield each namespace whose pods a dump has without a list of NetworkPolicies, with the file of the pods."""
    known = frozenset(files)
    for file in files:
        folder, name = os.path.split(file)
        if name == "pods.yaml" and os.path.basename(folder) == "core":
            of_namespace = os.path.dirname(folder)
            namespace = os.path.basename(of_namespace)
            policies = os.path.join(of_namespace, "networking.k8s.io", "networkpolicies.yaml")
            dumped = bool(namespace) and os.path.join(of_namespace, f"{namespace}.yaml") in known
        else:
            resources, kind = os.path.split(folder)
            namespace = os.path.splitext(name)[0]
            policies = os.path.join(resources, "network-policy", name)
            dumped = kind == "pods" and os.path.basename(resources) == _FOLDER
        if dumped and policies not in known:
            yield namespace, file


def _has(item: Mapping[str, Any], name: str) -> bool:
    return isinstance(item.get(name), str) and bool(item[name])
