"""Exported pods, each written as a Pod: the one that a controller makes in place of another."""

from __future__ import annotations

from collections.abc import Collection
from zlib import crc32

from netlab.cluster.pods import PodDraft
from netlab.objects.kind import template_of
from netlab.objects.meta import Key
from netlab.objects.types import Document

OF_STATIC_PODS = "Node"
"""The kind of the owner of a static pod, which its kubelet starts again under the same name."""
# The letters of names that an API server makes (k8s.io/apimachinery/pkg/util/rand).
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def replacement_of(written: Document, draft: PodDraft, taken: Collection[Key]) -> Document:
    """Return the Pod that a controller makes in place of an exported Pod: without node, addresses and status."""
    kind = draft.meta.owner.split(" ")[0]
    of, static = template_of(kind), kind == OF_STATIC_PODS
    metadata = {name: value for name, value in written.data["metadata"].items() if name != "deletionTimestamp"}
    spec = dict(written.data.get("spec") or {})
    if not static and (of.stable_names or not of.stays):
        spec.pop("nodeName", None)
    if not static and not of.stable_names:
        metadata["name"] = _new_name(draft, taken)
    data = {name: value for name, value in written.data.items() if name != "status"}
    return Document({**data, "metadata": metadata, "spec": spec}, written.source)


def unready(pod: Document) -> Document:
    """Return the Pod as one that is not ready."""
    return Document({**pod.data, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}, pod.source)


def _new_name(draft: PodDraft, taken: Collection[Key]) -> str:
    """Return the name of a pod in place of another: that of its owner, and five letters that follow from the names."""
    stem = draft.meta.owner.partition(" ")[2][:58]
    number = 0
    while True:
        value = crc32(f"{draft.ref} {number}".encode())
        letters = "".join(_LETTERS[value // len(_LETTERS) ** place % len(_LETTERS)] for place in range(5))
        if Key("v1", "Pod", draft.meta.namespace, f"{stem}-{letters}") not in taken:
            return f"{stem}-{letters}"
        number += 1
