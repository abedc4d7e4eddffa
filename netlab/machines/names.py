"""The names of machines: RFC 1123 labels, as the names of nodes are, since they become keys of etcd."""

from __future__ import annotations

from netlab.errors import UsageError, printable
from netlab.objects.names import dns_label


def is_machine(name: str) -> bool:
    """Return whether a text can be the name of a machine."""
    return not dns_label(name)


def machine_name(text: str) -> str:
    """Return the name of a machine; raises UsageError where it is not valid."""
    if wrong := dns_label(text):
        raise UsageError(*(f"machine {printable(text)[:80]!r}: {message}" for message in wrong))
    return text
