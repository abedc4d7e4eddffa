"""Classes of outside addresses, for invariants: no policy can tell the addresses of a class apart.

CIDRs nest, so all ranges of policies divide all addresses into at most one class more than there are ranges. An
``Outside`` is an outside host at one address of a class. It stands for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, summarize_address_range

from netlab.cluster.types import Cluster, Host
from netlab.frozen import frozen
from netlab.objects.types import Address, Prefix
from netlab.policy import tiers
from netlab.policy.address_sets import NO_MACHINE

_BITS = {4: 32, 6: 128}
_MOST_NAMED = 3

# Examples that a reader takes for an address of the internet, tried in this order.
_EXAMPLES: tuple[Address, ...] = (
    IPv4Address("203.0.113.10"),
    IPv4Address("198.51.100.10"),
    IPv4Address("192.0.2.10"),
    IPv6Address("2001:db8::10"),
)

Span = tuple[int, int]
"""The first and the last address of a range, as numbers."""


@frozen
class Outside(Host):
    """An outside host at one address of a class of outside addresses; ``spans`` are all addresses of the class."""

    spans: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", str(self.addresses[0]))

    @property
    def family(self) -> int:
        """The IP family of the addresses."""
        return self.addresses[0].version

    @property
    def text(self) -> str:
        """The ranges of the class; if there are many, its example."""
        made = IPv4Address if self.family == 4 else IPv6Address
        found: list[str] = []
        for first, last in self.spans:
            found += map(str, summarize_address_range(made(first), made(last)))
            if len(found) > _MOST_NAMED:
                return f"outside addresses such as {self.addresses[0]}"
        return f"outside {', '.join(found)}"


def outside_of(cluster: Cluster, ranges: Iterable[Prefix]) -> tuple[Outside, ...]:
    """Return an outside host for each class of the outside addresses in some ranges.

    An outside address is in no range of pods, Services or load balancers, and no endpoint or Service has it. A class
    is in each of the ranges as a whole or not at all.
    """
    wanted = list(dict.fromkeys(ranges))
    named = [prefix for tier in tiers.TIERS for prefix in tier.reads(cluster).prefixes]
    named += [prefix for service in cluster.services for prefix in service.source_ranges]
    inside = _inside(cluster)
    found: list[Outside] = []
    for family in cluster.families:
        of_family = [prefix for prefix in wanted if prefix.version == family]
        if of_family:
            cuts = [prefix for prefix in (*named, *of_family) if prefix.version == family]
            taken = [prefix for prefix in inside if prefix.version == family]
            found += _classes(family, cuts, taken, of_family)
    return tuple(found)


def covers(cidr: Prefix, host: Host) -> bool:
    """Say whether a range has an address of a host."""
    return any(address.version == cidr.version and address in cidr for address in host.addresses)


def _inside(cluster: Cluster) -> list[Prefix]:
    prefixes = [prefix for network in cluster.networks for prefix in network.pod_cidrs]
    prefixes += [prefix for node in cluster.nodes for of in node.pod_cidrs.values() for prefix in of]
    prefixes += [*cluster.service_cidrs, *cluster.load_balancer_cidrs, *NO_MACHINE]
    addresses = [*cluster.by_address]
    for service in cluster.services:
        balanced = (one.address for one in service.load_balancer if one.address is not None)
        addresses += [*service.cluster_ips, *service.external_ips, *balanced]
    return [*dict.fromkeys(prefixes), *map(_alone, dict.fromkeys(addresses))]


def _alone(address: Address) -> Prefix:
    number = int(address)
    return IPv4Network((number, 32)) if address.version == 4 else IPv6Network((number, 128))


def _classes(
    family: int, cuts: Sequence[Prefix], taken: Sequence[Prefix], wanted: Sequence[Prefix]
) -> Iterator[Outside]:
    """Yield the classes of addresses that are in some ``wanted`` range and in no ``taken`` one."""
    spans_of: dict[Span, list[Span]] = {}
    in_wanted: dict[Span, bool] = {(0, (1 << _BITS[family]) - 1): False}
    ranges = sorted({_span(prefix): False for prefix in taken} | {_span(prefix): True for prefix in cuts}, key=_order)
    cutting = {_span(prefix) for prefix in cuts}
    hiding = {_span(prefix) for prefix in taken}
    asking = {_span(prefix) for prefix in wanted}
    # The ranges around the present address, the innermost last: its class, and whether it is taken.
    whole = (0, (1 << _BITS[family]) - 1)
    around: list[tuple[Span, Span, bool]] = [(whole, whole, False)]
    at = 0

    def advance(to: int) -> None:
        nonlocal at
        _, of_class, hidden = around[-1]
        if to > at and not hidden and in_wanted[of_class]:
            spans = spans_of.setdefault(of_class, [])
            if spans and spans[-1][1] + 1 == at:
                spans[-1] = (spans[-1][0], to - 1)
            else:
                spans.append((at, to - 1))
        at = max(at, to)

    for own in ranges:
        while around[-1][0][1] < own[0]:
            advance(around[-1][0][1] + 1)
            around.pop()
        advance(own[0])
        _, of_class, hidden = around[-1]
        if own in cutting:
            in_wanted[own] = own in asking or in_wanted[of_class]
            of_class = own
        around.append((own, of_class, hidden or own in hiding))
    while around:
        advance(around[-1][0][1] + 1)
        around.pop()
    for spans in spans_of.values():
        yield _host(family, spans)


def _order(span: Span) -> tuple[int, int]:
    """Sort by the first address, outer ranges before those inside them."""
    return span[0], -span[1]


def _span(prefix: Prefix) -> Span:
    return int(prefix.network_address), int(prefix.broadcast_address)


def _host(family: int, spans: Sequence[Span]) -> Outside:
    own = [int(one) for one in _EXAMPLES if one.version == family]
    number = next((n for n in own if any(first <= n <= last for first, last in spans)), None)
    if number is None:
        first, last = spans[0]
        # The first address of a range is a network's own by convention.
        number = first + 1 if last - first > 1 else first
    address = IPv4Address(number) if family == 4 else IPv6Address(number)
    return Outside(str(address), (address,), spans=tuple(spans))
