"""Changes of a lab's documents that stop and start its nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netlab.objects.document_changes import STOPPED_NODE
from netlab.objects.kind import NETLAB_VERSION
from netlab.objects.meta import Key, key_of
from netlab.objects.types import Document, Source


def stop(documents: Iterable[Document], node: str, *, control_plane: bool = False) -> list[Document]:
    """Return the documents with one that says that a node is stopped.

    ``control_plane``: its pods stay as ready as their own objects say.
    """
    found = list(documents)
    if any(key_of(one) == key_of_stopped(node) for one in found):
        return found
    data: dict[str, Any] = {"apiVersion": NETLAB_VERSION, "kind": STOPPED_NODE, "metadata": {"name": node}}
    if control_plane:
        data["controlPlane"] = True
    return [*found, Document(data, Source("netlab node stop"))]


def starting(documents: Iterable[Document], node: str) -> list[Document]:
    """Return the documents with one that says that a node has its links, and that its pods are not ready yet."""
    return [
        Document({**one.data, "starting": True}, one.source) if key_of(one) == key_of_stopped(node) else one
        for one in documents
    ]


def start(documents: Iterable[Document], node: str) -> list[Document]:
    """Return the documents without the one that says that a node is stopped."""
    return [one for one in documents if key_of(one) != key_of_stopped(node)]


def key_of_stopped(node: str) -> Key:
    """Return the key of the document that says that a node is stopped."""
    return Key(NETLAB_VERSION, STOPPED_NODE, "", node)
