"""SystemObjects: netlab's own kind, which says that a lab has the pods and Services of the system in any case.

A lab has them too if its input has a Service or an Ingress. The document has no field, and is in a lab's record.
"""

from __future__ import annotations

from dataclasses import field

from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.kind import NETLAB_VERSION
from netlab.objects.types import Document, Source

SYSTEM_OBJECTS = "SystemObjects"


@frozen
class SystemObjects:
    """The wish for the pods and Services of the system: kube-dns, ``kubernetes`` and the ingress controller."""

    source: Source = field(default_factory=Source, compare=False)


def system_document() -> Document:
    """Return a SystemObjects document, for a command that needs the system; applied twice, it counts once."""
    data = {"apiVersion": NETLAB_VERSION, "kind": SYSTEM_OBJECTS, "metadata": {"name": "system"}}
    return Document(data, Source("--system"))


def system_objects(document: Document) -> tuple[SystemObjects, list[Problem]]:
    """Decode a SystemObjects document."""
    return SystemObjects(document.source), []
