"""The names of machines, RFC 1123 labels as those of nodes since they become keys of etcd; and their addresses."""

from __future__ import annotations

from ipaddress import ip_address

from netlab.errors import UsageError, printable
from netlab.objects.names import dns_label
from netlab.objects.types import Address


def is_machine(name: str) -> bool:
    """Return whether a text can be the name of a machine."""
    return not dns_label(name)


def machine_name(text: str) -> str:
    """Return the name of a machine; raises UsageError where it is not valid."""
    if wrong := dns_label(text):
        raise UsageError(*(f"machine {printable(text)[:80]!r}: {message}" for message in wrong))
    return text


def address_of(text: str) -> Address:
    """Return the address of a machine as etcd keeps it; raises ValueError, also for one that has a zone."""
    if "%" in text:
        raise ValueError(text)
    return ip_address(text)
