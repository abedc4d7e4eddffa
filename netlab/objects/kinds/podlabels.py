"""PodLabels: netlab's own kind, which stores labels that ``netlab label`` changed on a pod of a workload."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.document_changes import POD_LABELS
from netlab.objects.field_types import Root
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.label_selectors import CHANGES, changed_labels
from netlab.objects.meta import STRICT_METADATA, object_meta, open_document
from netlab.objects.types import Document, Meta


@frozen
class PodLabels:
    """Changed labels of one pod of a workload; the value None removes a label."""

    meta: Meta
    labels: Mapping[str, str | None]


class _Root(Root, strict=True):
    """What ``netlab label pod`` changed on a pod of a workload."""

    metadata = STRICT_METADATA
    labels = CHANGES


def pod_labels(document: Document) -> tuple[PodLabels, list[Problem]]:
    """Decode a PodLabels document."""
    root = open_document(document, strict=True)
    _Root.only(root)
    found = PodLabels(object_meta(root, metadata=_Root.metadata), changed_labels(root))
    return found, root.report.problems


KIND = Kind(POD_LABELS, NETLAB_VERSION, PodLabels, pod_labels, written=False, shape=_Root)
