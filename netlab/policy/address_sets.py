"""Sets of IP addresses: ranges of each family, with unions, differences and names."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network, summarize_address_range

from netlab.frozen import frozen
from netlab.objects.policies import IPBlock
from netlab.objects.types import Address, Prefix
from netlab.policy.port_sets import Ranges, joined, without

# Not public: the special-purpose registries of IANA (RFC 6890), and multicast.
_NOT_PUBLIC = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
    *("203.0.113.0/24", "224.0.0.0/3"),
)
_NOT_PUBLIC_6 = ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")


@frozen
class AddressSet:
    """Addresses: the ranges of IPv4 and those of IPv6, as numbers."""

    v4: Ranges = ()
    v6: Ranges = ()

    def __or__(self, other: AddressSet) -> AddressSet:
        return AddressSet(joined((*self.v4, *other.v4)), joined((*self.v6, *other.v6)))

    def __sub__(self, other: AddressSet) -> AddressSet:
        return AddressSet(tuple(without(self.v4, other.v4)), tuple(without(self.v6, other.v6)))

    def __and__(self, other: AddressSet) -> AddressSet:
        return self - (self - other)

    def __bool__(self) -> bool:
        return bool(self.v4 or self.v6)

    def of(self, family: int) -> AddressSet:
        """Return the addresses of one family."""
        return AddressSet(self.v4) if family == 4 else AddressSet((), self.v6)

    def __contains__(self, address: Address) -> bool:
        ranges = self.v4 if address.version == 4 else self.v6
        at = bisect_right(ranges, int(address), key=lambda one: one[0]) - 1
        return at >= 0 and int(address) <= ranges[at][1]

    def within(self, other: AddressSet) -> bool:
        """Say whether the other set has every address of this one."""
        return not self - other

    def first(self, family: int) -> Address | None:
        """Return the first address of a family that is not the first of its range, else the first one."""
        ranges = self.v4 if family == 4 else self.v6
        if not ranges:
            return None
        low, high = next((one for one in ranges if one[1] > one[0]), ranges[0])
        number = min(low + 1, high)
        return IPv4Address(number) if family == 4 else IPv6Address(number)

    def prefixes(self, family: int) -> list[Prefix]:
        """Return the fewest prefixes of a family that have exactly these addresses."""
        found: list[Prefix] = []
        for low, high in self.v4 if family == 4 else self.v6:
            if family == 4:
                found += summarize_address_range(IPv4Address(low), IPv4Address(high))
            else:
                found += summarize_address_range(IPv6Address(low), IPv6Address(high))
        return found

    def blocks(self, family: int) -> list[IPBlock]:
        """Return ipBlocks with exactly these addresses: prefixes, or one block with ``except`` if that is shorter."""
        prefixes = self.prefixes(family)
        if len(prefixes) < 2:
            return [IPBlock(prefix) for prefix in prefixes]
        around = _around(prefixes)
        excepts = (address_set([around]) - self).prefixes(family)
        if 1 + len(excepts) < len(prefixes):
            return [IPBlock(around, tuple(excepts))]
        return [IPBlock(prefix) for prefix in prefixes]

    def words(self) -> list[str]:
        """Return the addresses as words: ``0.0.0.0/0 except 10.0.0.0/8``."""
        found = []
        for block in (*self.blocks(4), *self.blocks(6)):
            excepts = f" except {', '.join(map(str, block.excepts))}" if block.excepts else ""
            found.append(f"{block.cidr}{excepts}")
        return found

    @property
    def internet(self) -> tuple[int, ...]:
        """The IP families whose public addresses it has."""
        return tuple(family for family in (4, 6) if public(family).within(self))


def _around(prefixes: Sequence[Prefix]) -> Prefix:
    """Return the smallest prefix that has all of these."""
    low = min(int(prefix.network_address) for prefix in prefixes)
    high = max(int(prefix.broadcast_address) for prefix in prefixes)
    bits = prefixes[0].max_prefixlen
    length = bits - (low ^ high).bit_length()
    base = low >> (bits - length) << (bits - length)
    return IPv4Network((base, length)) if bits == 32 else IPv6Network((base, length))


def address_set(prefixes: Iterable[Prefix]) -> AddressSet:
    """Return the addresses of prefixes."""
    by_family: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for prefix in prefixes:
        by_family[prefix.version].append((int(prefix.network_address), int(prefix.broadcast_address)))
    return AddressSet(joined(by_family[4]), joined(by_family[6]))


def of_block(block: IPBlock) -> AddressSet:
    """Return the addresses that an ipBlock matches."""
    own = address_set([block.cidr])
    excepts = [prefix for prefix in block.excepts if prefix.version == block.cidr.version]
    return own - address_set(excepts) if excepts else own


NO_MACHINE: tuple[Prefix, ...] = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32"),
            *("::/127", "::ffff:0:0/96", "fe80::/10", "ff00::/8"),
        ),
    )
)
"""Addresses that name no other machine. Metadata services have addresses of 169.254.0.0/16, so it is not among them."""

ALL_ADDRESSES = address_set([IPv4Network("0.0.0.0/0"), IPv6Network("::/0")])


@cache
def public(family: int) -> AddressSet:
    """Return the public addresses of a family."""
    whole, excepts = ("0.0.0.0/0", _NOT_PUBLIC) if family == 4 else ("2000::/3", _NOT_PUBLIC_6)
    return address_set([ip_network(whole)]) - address_set(map(ip_network, excepts))
