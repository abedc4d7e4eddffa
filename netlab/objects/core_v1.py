"""Parts that kinds of core/v1 share: protocols, addresses and CIDRs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from netlab.objects.addresses import (
    ADDRESS_RULE,
    CIDR_RULE,
    UNUSUAL_ADDRESS,
    address_warnings,
    parse_address,
    parse_cidr,
    special_messages,
)
from netlab.objects.fields import Fields, invalid
from netlab.objects.types import Address, Prefix, Protocol

# In the order of the API server's messages about containers and Services; NetworkPolicy has another order.
PROTOCOLS: tuple[Protocol, ...] = ("SCTP", "TCP", "UDP")
NAMESPACE_LABEL = "kubernetes.io/metadata.name"

_T = TypeVar("_T")


def prefixes(fields: Fields, written: Iterable[tuple[str, str]]) -> list[tuple[str, Prefix]]:
    """Return (path, prefix) for each (path, text) that is a CIDR, and report the others."""
    return _parsed(fields, written, parse_cidr, CIDR_RULE)


def addresses(fields: Fields, written: Iterable[tuple[str, str]]) -> list[tuple[str, Address]]:
    """Return (path, address) for each (path, text) that is an address, and report the others."""
    return _parsed(fields, written, parse_address, ADDRESS_RULE)


def checked_addresses(fields: Fields, written: Iterable[tuple[str, str]]) -> list[tuple[str, Address]]:
    """Return what ``addresses`` returns, and warn of addresses in an unusual form."""
    texts = list(written)
    for path, text in texts:
        for message in address_warnings(text):
            fields.report.warn(path, message, UNUSUAL_ADDRESS)
    return addresses(fields, texts)


def endpoint_addresses(fields: Fields, written: Iterable[tuple[str, str]]) -> list[tuple[str, Address]]:
    """Return what ``checked_addresses`` returns, and report what ``special_messages`` refuses."""
    texts = dict(written)
    found = checked_addresses(fields, texts.items())
    for path, address in found:
        for message in special_messages(address):
            fields.report.error(path, invalid(texts[path], message))
    return found


def _parsed(
    fields: Fields, written: Iterable[tuple[str, str]], parse: Callable[[str], _T | None], rule: str
) -> list[tuple[str, _T]]:
    found = []
    for path, text in written:
        value = parse(text)
        if value is None:
            fields.report.error(path, invalid(text, rule))
        else:
            found.append((path, value))
    return found
