"""Addresses and CIDRs as the API server's legacy parser reads them (k8s.io/utils/net, ParseIPSloppy).

The parser accepts leading zeros as decimal, masks host bits, and reads an IPv4-mapped IPv6 address as IPv4.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from netlab.objects.types import Address, Prefix

CIDR_RULE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
ADDRESS_RULE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_IPV4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_LONG_GROUP = re.compile(r"(^|:|\.)0+([0-9A-Fa-f]{4}|[0-9]{1,3}(?=\.|$))(?![0-9A-Fa-f])")
_LENGTH = re.compile(r"[0-9]+")
_DIGITS_OF_GROUP = 4
_GO_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")


def parse_address(text: str) -> Address | None:
    """Return the address of a text, None if it is not one."""
    address = _literal(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _literal(text: str) -> Address | None:
    try:
        if _IPV4.fullmatch(text):
            octets = [int(octet) for octet in text.split(".")]
            return IPv4Address(bytes(octets))
        return None if "%" in text else IPv6Address(_short(text) if _LONG_GROUP.search(text) else text)
    except ValueError:
        return None


def _short(text: str) -> str:
    """Return an IPv6 address without leading zeros beyond four digits of a group, and without those of IPv4 octets."""
    groups, colon, last = text.rpartition(":")
    groups = _LONG_GROUP.sub(r"\1\2", groups)
    octets = [octet.lstrip("0") or "0" for octet in last.split(".")] if "." in last else [_LONG_GROUP.sub(r"\2", last)]
    return f"{groups}{colon}{'.'.join(octets)}"


def plain_address(text: str) -> Address | None:
    """Return the address of a text in the usual form, None if it is not one, or has an IPv6 zone (``%eth0``)."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def prefix_length(text: str) -> int:
    """Return the number after the slash of a valid CIDR, as written."""
    return int(text.rpartition("/")[2])


@lru_cache(maxsize=1 << 18)
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


def go_prefix(text: str, *, host_bits: bool) -> Prefix | None:
    """Return the prefix of a text as CEL's ``isCIDR`` reads it, with host bits masked, None if it is not one.

    It refuses leading zeros, zones and IPv4-mapped IPv6 addresses. ``host_bits``: an address with host bits is allowed.

    Source: k8s.io/apiserver, ``pkg/cel/library/cidr.go``; Go, ``net/netip``, ``ParsePrefix``.
    """
    literal, _, length = text.partition("/")
    address = plain_address(literal)
    if address is None or not _GO_LENGTH.fullmatch(length) or int(length) > address.max_prefixlen:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return None
    prefix = ip_network((address, int(length)), strict=False)
    return prefix if host_bits or prefix.network_address == address else None


def special_messages(address: Address, text: str) -> list[str]:
    """Return the API server's messages about an address that no endpoint and no externalIP may have.

    Source: ``ValidateNonSpecialIP`` of pkg/apis/core/validation.
    """
    found = []
    if address.is_unspecified:
        found.append(f"may not be unspecified ({text})")
    if address.is_loopback:
        found.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        found.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if _is_local_multicast(address):
        found.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return found


def _is_local_multicast(address: Address) -> bool:
    first, second, third, *_ = address.packed
    if address.version == 4:
        return (first, second, third) == (224, 0, 0)
    return first == 0xFF and second & 0x0F == 0x02


def strict_address_message(text: str) -> str:
    """Return why strict validation refuses an address that ``parse_address`` reads, "" if it does not.

    Source: k8s.io/apimachinery, pkg/util/validation/ip.go, ``parseIP``.
    """
    if _has_leading_zeros(text):
        return "must not have leading 0s"
    return "must not be an IPv4-mapped IPv6 address" if _is_mapped(text) else ""


def strict_cidr_message(text: str) -> str:
    """Return why strict validation refuses a CIDR that ``parse_cidr`` reads, "" if it does not.

    Source: ``parseCIDR``, in the same file.
    """
    if _is_usual_ipv4(text):
        return ""
    literal, _, length = text.partition("/")
    if _has_leading_zeros(literal) or not _GO_LENGTH.fullmatch(length):
        return "must not have leading 0s in IP or prefix length"
    if _is_mapped(literal):
        return "must not have an IPv4-mapped IPv6 address"
    prefix, address = parse_cidr(text), parse_address(literal)
    if prefix is not None and address != prefix.network_address:
        return "must not have bits set beyond the prefix length"
    return ""


@lru_cache(maxsize=1 << 18)
def _is_usual_ipv4(text: str) -> bool:
    """Whether a text is an IPv4 prefix in the usual form: nearly all are, and some policies have thousands."""
    prefix = parse_cidr(text)
    return isinstance(prefix, IPv4Network) and str(prefix) == text


def _has_leading_zeros(literal: str) -> bool:
    groups, _, last = literal.rpartition(":")
    if any(len(octet) > 1 and octet.startswith("0") for octet in _octets(last)):
        return True
    return any(len(group) > _DIGITS_OF_GROUP for group in (*groups.split(":"), "" if "." in last else last))


def _is_mapped(literal: str) -> bool:
    address = _literal(literal)
    return isinstance(address, IPv6Address) and address.ipv4_mapped is not None


UNUSUAL_ADDRESS = "unusual-address"
"""The rule name of warnings about an address (``Problem.rule``)."""


def address_warnings(text: str) -> list[str]:
    """Return the API server's warnings about a valid address: leading zeros, IPv4-mapped IPv6, long forms of IPv6."""
    address = parse_address(text)
    if address is None:
        return []
    if address.version == 4:
        if str(address) == text:
            return []
        future = "will be considered invalid in a future Kubernetes release"
        return [f'non-standard IP address "{text}" {future}: use "{address}"']
    return (
        [] if str(address) == text else [f'IPv6 address "{text}" should be in RFC 5952 canonical format ("{address}")']
    )


UNUSUAL_CIDR = "unusual-cidr"
"""The rule name of warnings about a CIDR (``Problem.rule``)."""


def cidr_warnings(text: str) -> list[str]:
    """Return the API server's warnings about a valid CIDR: host bits, leading zeros, IPv4-mapped IPv6."""
    if _is_usual_ipv4(text):
        return []
    prefix = parse_cidr(text)
    if str(prefix) == text:
        return []
    address = parse_address(text.partition("/")[0])
    if prefix is None or address is None:
        return []
    found = []
    if address != prefix.network_address:
        single = f"{address}/{address.max_prefixlen}"
        found.append(f'CIDR value "{text}" is ambiguous in this context (should be "{prefix}" or "{single}"?)')
    literal, _, length = text.partition("/")
    mapped = prefix.version == 4 and ":" in literal
    if mapped or _has_leading_zeros(literal) or (len(length) > 1 and length.startswith("0")):
        found.append(
            f'non-standard CIDR value "{text}" will be considered invalid in a future Kubernetes release: '
            f'use "{prefix}"'
        )
    return found


def _octets(literal: str) -> list[str]:
    return literal.split(".") if "." in literal else []
