"""StoppedNode: netlab's own kind. A lab has a document of it for each node that ``netlab node stop`` stopped.

The node is the one with the document's name. A document for a node that the lab does not have has no effect.
"""

from __future__ import annotations

from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.document_changes import STOPPED_NODE
from netlab.objects.field_types import Flag, Root
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.meta import STRICT_CLUSTER_METADATA, object_meta, open_document
from netlab.objects.types import Document, Meta


@frozen
class StoppedNode:
    """A node that is stopped: the one with the name of ``meta``.

    ``starting``: its links are there again, and its pods are not ready yet. ``control_plane``: the controllers of a
    control plane find out by themselves, and say when its pods are not ready; else they are not ready at once.
    """

    meta: Meta
    starting: bool = False
    control_plane: bool = False


class _Root(Root, strict=True):
    """A node that is stopped."""

    metadata = STRICT_CLUSTER_METADATA
    starting = Flag("starting", "Whether the node has its links again.")
    control_plane = Flag("controlPlane", "Whether a control plane says when the node's pods are not ready.")


def stopped_node(document: Document) -> tuple[StoppedNode, list[Problem]]:
    """Decode a StoppedNode document."""
    root = open_document(document, strict=True)
    _Root.only(root)
    meta = object_meta(root, metadata=_Root.metadata)
    found = StoppedNode(meta, _Root.starting.read(root), _Root.control_plane.read(root))
    return found, root.report.problems


KIND = Kind(STOPPED_NODE, NETLAB_VERSION, StoppedNode, stopped_node, namespaced=False, written=False, shape=_Root)
