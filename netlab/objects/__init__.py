"""What users write: documents with lines, objects with defaults, and every problem at once."""

from netlab.objects.all_objects import Objects
from netlab.objects.changes import apply, delete, relabel
from netlab.objects.documents import from_record, read, to_record
from netlab.objects.examine import Input, examine, examine_documents
from netlab.objects.load import counting, decode, load
from netlab.objects.types import Document

__all__ = [
    "Document",
    "Input",
    "Objects",
    "apply",
    "counting",
    "decode",
    "delete",
    "examine",
    "examine_documents",
    "from_record",
    "load",
    "read",
    "relabel",
    "to_record",
]
