"""Files of support bundles of troubleshoot.sh: arrays of objects, in a folder ``cluster-resources``.

The collector ``clusterResources`` writes custom resources as arrays of objects, and with a list of namespaces, or in
old versions, the objects of a kind as arrays without ``kind`` and ``apiVersion``. Then the name of the file or of its
folder says the kind. Elsewhere such an array is an error or no object, as for kubectl.

Source: pkg/collect/cluster_resources.go of replicatedhq/troubleshoot.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from netlab.objects.kind import deletable

_FOLDER = "cluster-resources"


def items_of(value: list[Any], file: str) -> list[dict[str, Any]] | None:
    """Return the objects of an array of a support bundle; None if the file is none of a bundle, or holds no objects."""
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


def _has(item: Mapping[str, Any], name: str) -> bool:
    return isinstance(item.get(name), str) and bool(item[name])
