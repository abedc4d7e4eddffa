"""Addresses and CIDRs as the API server's legacy parser reads them (k8s.io/utils/net, ParseIPSloppy).

The parser accepts leading zeros as decimal, masks host bits, and reads an IPv4-mapped IPv6 address as IPv4.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from netlab.objects.types import Address, Prefix

CIDR_RULE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
ADDRESS_RULE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_IPV4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_LENGTH = re.compile(r"[0-9]+")


def parse_address(text: str) -> Address | None:
    """Return the address of a text, None if it is not one."""
    address = _literal(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _literal(text: str) -> Address | None:
    try:
        if _IPV4.fullmatch(text):
            return IPv4Address(".".join(str(int(octet)) for octet in text.split(".")))
        return None if "%" in text else IPv6Address(text)
    except ValueError:
        return None


def plain_address(text: str) -> Address | None:
    """Return the address of a text in the usual form, None if it is not one, or has an IPv6 zone (``%eth0``)."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def prefix_length(text: str) -> int:
    """Return the number after the slash of a valid CIDR, as written."""
    return int(text.rpartition("/")[2])


def parse_cidr(text: str) -> Prefix | None:
    """Return the prefix of a text, with host bits masked, None if it is not one."""
    literal, slash, length = text.partition("/")
    address = _literal(literal)
    if address is None or not slash or not _LENGTH.fullmatch(length) or int(length) > address.max_prefixlen:
        return None
    prefix = ip_network((address, int(length)), strict=False)
    if isinstance(prefix, IPv6Network) and prefix.prefixlen >= 96:
        mapped = prefix.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, prefix.prefixlen - 96))
    return prefix


UNUSUAL_CIDR = "unusual-cidr"
"""The rule name of warnings about a CIDR (``Problem.rule``)."""


def cidr_warnings(text: str) -> list[str]:
    """Return the API server's warnings about a valid CIDR: host bits, leading zeros, IPv4-mapped IPv6."""
    prefix, address = parse_cidr(text), parse_address(text.partition("/")[0])
    if prefix is None or address is None:
        return []
    found = []
    if address != prefix.network_address:
        single = f"{address}/{address.max_prefixlen}"
        found.append(f'CIDR value "{text}" is ambiguous in this context (should be "{prefix}" or "{single}"?)')
    literal, _, length = text.partition("/")
    mapped = prefix.version == 4 and ":" in literal
    if mapped or any(len(part) > 1 and part.startswith("0") for part in (*_octets(literal), length)):
        found.append(
            f'non-standard CIDR value "{text}" will be considered invalid in a future Kubernetes release: '
            f'use "{prefix}"'
        )
    return found


def _octets(literal: str) -> list[str]:
    return [] if ":" in literal else literal.split(".")
