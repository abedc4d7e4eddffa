"""Parts that kinds of core/v1 share: protocols, addresses and CIDRs."""

from __future__ import annotations

from collections.abc import Iterable

from netlab.objects.addresses import ADDRESS_RULE, CIDR_RULE, parse_address, parse_cidr
from netlab.objects.fields import Fields, invalid
from netlab.objects.types import Address, Prefix, Protocol

# In the order of the API server's messages about containers and Services; NetworkPolicy has another order.
PROTOCOLS: tuple[Protocol, ...] = ("SCTP", "TCP", "UDP")
NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def prefixes(fields: Fields, written: Iterable[tuple[str, str]]) -> list[tuple[str, Prefix]]:
    """Return (path, prefix) for each (path, text) that is a CIDR, and report the others."""
    found = []
    for path, text in written:
        prefix = parse_cidr(text)
        if prefix is None:
            fields.report.error(path, invalid(text, CIDR_RULE))
        else:
            found.append((path, prefix))
    return found


def addresses(fields: Fields, written: Iterable[tuple[str, str]]) -> list[tuple[str, Address]]:
    """Return (path, address) for each (path, text) that is an address, and report the others."""
    found = []
    for path, text in written:
        address = parse_address(text)
        if address is None:
            fields.report.error(path, invalid(text, ADDRESS_RULE))
        else:
            found.append((path, address))
    return found
