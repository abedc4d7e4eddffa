"""The podCIDR of each node: a part of the network's podCIDR, around the addresses that the input states."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from netlab.cluster.nodes import NodeDraft
from netlab.objects.types import Address, Prefix

NODE_CIDR_MASK_SIZE = {4: 24, 6: 64}
"""The usual prefix length of a node's podCIDR by IP family, as of kube-controller-manager's --node-cidr-mask-size."""

NodeByAddress = Mapping[Address, str]
"""Addresses that the input states: a pod's with the pod's node, a machine's own with ""."""

# By how many bits a node's podCIDR may be narrower, so that pods keep their exported addresses.
_MOST_NARROWED = 4


def reserved(prefix: Prefix) -> frozenset[int]:
    """Return the addresses of a node's prefix that no pod gets, as numbers: network, gateway and broadcast."""
    first = int(prefix.network_address)
    return frozenset({first, first + 1, int(prefix.broadcast_address)})


def node_cidrs(cidr: Prefix, nodes: Sequence[NodeDraft], fixed: NodeByAddress) -> dict[str, Prefix] | None:
    """Return the part of a podCIDR that each node gets; no part holds a stated address of another node.

    A node gets the podCIDR of its Node object if there is one, else the part with most of its own stated addresses,
    else the first part without any, in node order. A part is a /24 (IPv6: /64), or less if these do not suffice. None
    means that there are too few parts.
    """
    inside = {int(a): node for a, node in fixed.items() if a in cidr}
    order = sorted(inside)
    stated = {
        n.name: own for n in nodes for own in n.pod_cidrs if within(own, cidr) and _only_own(own, n.name, inside, order)
    }
    rest = [n.name for n in nodes if n.name not in stated]
    first = max(NODE_CIDR_MASK_SIZE[cidr.version], cidr.prefixlen)
    tried = 0
    # A part holds at least two addresses, the network's and the gateway's.
    for length in range(first, cidr.max_prefixlen):
        given = _of_length(cidr, length, rest, list(stated.values()), inside)
        if given is not None:
            return {n.name: (stated | given)[n.name] for n in nodes}
        # Count only from the length at which the parts suffice if no address is kept.
        if inside and _of_length(cidr, length, rest, list(stated.values()), {}) is not None:
            tried += 1
            if tried > _MOST_NARROWED:
                return None
    return None


def within(inner: Prefix, outer: Prefix) -> bool:
    """Say whether a prefix is inside another; not if their IP families differ."""
    return inner.version == outer.version and inner.prefixlen >= outer.prefixlen and inner.network_address in outer


def _only_own(own: Prefix, node: str, inside: Mapping[int, str], order: Sequence[int]) -> bool:
    """Say whether all stated addresses in a node's prefix are of that node's pods, and none is reserved."""
    edges = reserved(own)
    first = bisect_left(order, int(own.network_address))
    last = bisect_right(order, int(own.broadcast_address))
    return all(inside[a] == node and a not in edges for a in order[first:last])


def _of_length(
    cidr: Prefix, length: int, rest: Sequence[str], stated: Sequence[Prefix], inside: Mapping[int, str]
) -> dict[str, Prefix] | None:
    """Return the part of each node of ``rest`` at one prefix length, None if there are too few parts.

    ``stated`` are the prefixes of the other nodes, ``inside`` the stated addresses as numbers.
    """
    if not rest:
        return {}
    width = cidr.max_prefixlen - length
    owners: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for address, node in inside.items():
        edge = address & ((1 << width) - 1) in (0, 1, (1 << width) - 1)
        owners[address >> width]["" if edge else node] += 1
    given: dict[str, Prefix] = {}
    best: dict[str, tuple[int, int]] = {}
    rest_set = frozenset(rest)
    for part in sorted(owners):
        ((node, count), *others) = owners[part].items()
        prefix = _part(cidr, part, length)
        if (
            not others
            and node in rest_set
            and count > best.get(node, (0, 0))[0]
            and not any(p.overlaps(prefix) for p in stated)
        ):
            best[node] = count, part
    for node in rest:
        if node in best:
            given[node] = _part(cidr, best[node][1], length)
    left = [node for node in rest if node not in given]
    free = list(islice(_free(cidr, length, stated, owners), len(left)))
    if len(free) < len(left):
        return None
    return given | dict(zip(left, free, strict=True))


def _part(cidr: Prefix, part: int, length: int) -> Prefix:
    return type(cidr)((part << (cidr.max_prefixlen - length), length))


def _free(cidr: Prefix, length: int, used: Sequence[Prefix], taken: Collection[int]) -> Iterator[Prefix]:
    """Yield, in order, the parts of a prefix that overlap no used prefix and are not taken."""
    width = cidr.max_prefixlen - length
    size = 1 << width
    at = int(cidr.network_address)
    while at <= int(cidr.broadcast_address):
        part = type(cidr)((at, length))
        hit = next((u for u in used if u.overlaps(part)), None)
        if hit is None and at >> width not in taken:
            yield part
        # A used prefix may hold 2**64 parts, so step over it at once.
        at = max(at + size, int(hit.broadcast_address) + 1 if hit else 0)
