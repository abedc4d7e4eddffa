"""The input of users: documents with line numbers, objects with defaults, and all problems at once."""

from netlab.objects.all_objects import Objects
from netlab.objects.decoders import without_skipped
from netlab.objects.document_changes import apply, delete, relabel
from netlab.objects.documents import from_record, read, to_record
from netlab.objects.input import Input, input_of, read_input
from netlab.objects.load import decode, load
from netlab.objects.types import Document

__all__ = [
    "Document",
    "Input",
    "Objects",
    "apply",
    "decode",
    "delete",
    "from_record",
    "input_of",
    "load",
    "read",
    "read_input",
    "relabel",
    "to_record",
    "without_skipped",
]
