"""SystemObjects: netlab's own kind. A lab with a document of it has system objects (``cluster.services.system``).

The document has no fields, and is in a lab's record.
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
    """A document that asks for system objects."""

    source: Source = field(default_factory=Source, compare=False)


def system_document() -> Document:
    """Return a SystemObjects document, for a command that needs system objects. Several documents count once."""
    data = {"apiVersion": NETLAB_VERSION, "kind": SYSTEM_OBJECTS, "metadata": {"name": "system"}}
    return Document(data, Source("--system"))


def system_objects(document: Document) -> tuple[SystemObjects, list[Problem]]:
    """Decode a SystemObjects document."""
    return SystemObjects(document.source), []
