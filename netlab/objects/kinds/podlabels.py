"""PodLabels: netlab's own kind, in which a running lab keeps labels that were changed on a workload's pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netlab.errors import Problem
from netlab.objects.changes import POD_LABELS
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.label_selectors import changed_labels
from netlab.objects.meta import object_meta, open_document
from netlab.objects.types import Document, Meta


@dataclass(frozen=True, slots=True)
class PodLabels:
    """Labels that were changed on one pod of a workload, whose template knows nothing of it; None removes one."""

    meta: Meta
    labels: Mapping[str, str | None]


def pod_labels(document: Document) -> tuple[PodLabels, list[Problem]]:
    """Decode the kind in which a running lab keeps what ``netlab label pod`` changed."""
    root = open_document(document, strict=True)
    root.only("apiVersion", "kind", "metadata", "labels")
    found = PodLabels(object_meta(root, strict=True), changed_labels(root))
    return found, root.report.problems


KIND = Kind(POD_LABELS, NETLAB_VERSION, PodLabels, pod_labels, written=False)
