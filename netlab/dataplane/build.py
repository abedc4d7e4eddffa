"""A builder of wanted state, with the settings that every kind of namespace has in every mode."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from netlab.kernel.state import Item, Link, Namespace, Sysctl

# A new namespace inherits the host's IPv4 settings (net.core.devconf_inherit_init_net = 0), so a lab states each one
# that it depends on. Duplicate address detection keeps an address unusable for a second or more; a lab gives every
# address out once. An interface skips it only where neither "all" nor its own setting asks for it (addrconf_dad_begin,
# net/ipv6/addrconf.c).
# A write to a setting of a new namespace costs 0.05 ms, so none is written that another one covers: disable_ipv6 of
# "all" sets the default as well (addrconf_disable_ipv6), and what the mask leaves out has no limit (icmpv4_mask_allow).
_NO_IPV6 = (Sysctl("ipv6/conf/all/disable_ipv6", "1"),)
_IPV6 = (
    Sysctl("ipv6/conf/all/disable_ipv6", "0"),
    Sysctl("ipv6/conf/all/accept_dad", "0"),
    Sysctl("ipv6/conf/default/accept_dad", "0"),
    Sysctl("ipv6/conf/default/accept_ra", "0"),
)
# A closed port's answer is a probe's proof; the kernel limits such answers to 1,000 a second by default.
_ANSWERS = (Sysctl("ipv4/icmp_ratemask", "0"),)
# The mask is a list of types; those on it count against a limit of the whole namespace too (icmpv6_global_allow).
_ANSWERS6 = (Sysctl("ipv6/icmp/ratelimit", "0"), Sysctl("ipv6/icmp/ratemask", ""))
# Strict or loose reverse path filtering (a distribution's default) would drop what a route, not a policy, explains.
_MACHINE = (Sysctl("ipv4/conf/all/rp_filter", "0"), Sysctl("ipv4/conf/default/rp_filter", "0"))
_ROUTER = (
    Sysctl("ipv4/ip_forward", "1"),
    Sysctl("ipv4/conf/all/send_redirects", "0"),
    Sysctl("ipv4/conf/default/send_redirects", "0"),
    # Without these two, frames between two pods of one bridge never meet the policy's hook.
    Sysctl("bridge/bridge-nf-call-iptables", "1"),
    Sysctl("bridge/bridge-nf-call-ip6tables", "1"),
)
# A node's bridge ports need no IPv6 of their own: a link-local address on each is work for the kernel and one more way
# in. The node speaks from the addresses that the lab gives it.
_ROUTER6 = (Sysctl("ipv6/conf/all/forwarding", "1"), Sysctl("ipv6/conf/default/addr_gen_mode", "1"))
MTU = 1500
"""The MTU of the underlay, and of every link that nothing makes shorter."""

_LOOPBACK = Link("lo", "loopback", mtu=65536)


class Build:
    """Collects the items of every namespace of a lab."""

    def __init__(self, lab: str, families: Sequence[int]) -> None:
        self.lab = lab
        self.families = tuple(families)
        self._items: dict[str, set[Item]] = defaultdict(set)

    def add(self, namespace: str, *items: Item) -> None:
        """Want the items in the namespace."""
        self._items[namespace].update(items)

    def veth(self, owner: str, end: Link, peer: str, other: Link) -> None:
        """Want a veth pair; it is created from ``owner``'s side, best the one with the larger link table."""
        self.add(owner, replace(end, peer=(peer, other.name), owner=True))
        self.add(peer, replace(other, peer=(owner, end.name)))

    def quiet(self, namespace: str, families: Sequence[int] | None = None) -> None:
        """Want a namespace with loopback only, and with IPv6 only where it is one of its (the lab's) families."""
        self.add(namespace, _LOOPBACK, *(_IPV6 if 6 in self._of(families) else _NO_IPV6))

    def endpoint(self, namespace: str, families: Sequence[int] | None = None) -> None:
        """Want a namespace whose kernel answers every probe."""
        self.quiet(namespace, families)
        self.add(namespace, *_ANSWERS, *(_ANSWERS6 if 6 in self._of(families) else ()))

    def machine(self, namespace: str, families: Sequence[int] | None = None) -> None:
        """Want the namespace of a node or an outside host: packets may come in by any way."""
        self.endpoint(namespace, families)
        self.add(namespace, *_MACHINE)

    def router(self, namespace: str) -> None:
        """Want a node's namespace: it forwards, and bridged packets meet its ruleset."""
        self.machine(namespace)
        self.add(namespace, *_ROUTER, *(_ROUTER6 if 6 in self.families else ()))

    def _of(self, families: Sequence[int] | None) -> Sequence[int]:
        return self.families if families is None else families

    def namespaces(self) -> dict[str, Namespace]:
        """Return everything that was wanted."""
        return {name: Namespace(name, frozenset(items)) for name, items in self._items.items()}
