"""Parts that kinds of core/v1 share: protocols, addresses and CIDRs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from netlab.objects.addresses import (
    ADDRESS_RULE,
    CIDR_RULE,
    UNUSUAL_ADDRESS,
    UNUSUAL_CIDR,
    address_warnings,
    cidr_warnings,
    parse_address,
    parse_cidr,
    special_messages,
    strict_address_message,
    strict_cidr_message,
)
from netlab.objects.fields import LAST, Fields, Report, invalid
from netlab.objects.types import Address, Prefix, Protocol
from netlab.objects.versions import STRICT_ADDRESSES

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
    """Return what ``addresses`` returns; report addresses that strict validation refuses, and warn of unusual ones."""
    found = addresses(fields, texts := list(written))
    valid = {path for path, _ in found}
    for path, text in texts:
        if path in valid:
            report_unusual(
                fields.report, path, text, strict_address_message(text), address_warnings(text), UNUSUAL_ADDRESS
            )
    return found


def endpoint_addresses(fields: Fields, written: Iterable[tuple[str, str]]) -> list[tuple[str, Address]]:
    """Return what ``checked_addresses`` returns, and report what ``special_messages`` refuses."""
    texts = dict(written)
    found = checked_addresses(fields, texts.items())
    for path, address in found:
        for message in special_messages(address, texts[path]):
            fields.report.error(path, invalid(texts[path], message))
    return found


def check_cidr_form(report: Report, path: str, text: str, *, line_of: str | None = None) -> None:
    """Report a valid CIDR that strict validation refuses, and warn of an unusual one.

    ``line_of`` is the path of another field, whose line counts.
    """
    report_unusual(report, path, text, strict_cidr_message(text), cidr_warnings(text), UNUSUAL_CIDR, line_of)


def report_unusual(
    report: Report,
    path: str,
    text: str,
    strict: str,
    warnings: Iterable[str],
    rule: str,
    line_of: str | None = None,
) -> None:
    """Report what strict validation refuses (``strict``, "" for nothing) for servers that validate so; else warn.

    Servers accept what is stored already.
    """
    refused = bool(strict) and not report.stored()
    if refused:
        report.refuse(path, invalid(text, strict), since=STRICT_ADDRESSES, at=line_of)
    for message in warnings:
        report.warn(line_of or path, message, rule, until=STRICT_ADDRESSES - 1 if refused else LAST)


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
