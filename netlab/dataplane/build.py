"""Collects the wanted state, with the settings of every kind of namespace in every mode."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from netlab.cluster.types import Cluster, Host, Network, Node, Pod
from netlab.dataplane.part import Part
from netlab.kernel.state import Item, Link, Namespace, Sysctl

# A new namespace inherits the host's IPv4 settings (net.core.devconf_inherit_init_net = 0), so a lab sets each one that
# it depends on. Duplicate address detection keeps an address unusable for a second or more, and a lab uses each address
# once. An interface skips it only if both "all" and its own setting are 0 (addrconf_dad_begin, net/ipv6/addrconf.c).
# A write to a setting of a new namespace takes 0.05 ms, so settings that another one covers are left out: disable_ipv6
# of "all" sets the default too (addrconf_disable_ipv6), and types outside the mask have no limit (icmpv4_mask_allow).
_NO_IPV6 = (Sysctl("ipv6/conf/all/disable_ipv6", "1"),)
_IPV6 = (
    Sysctl("ipv6/conf/all/disable_ipv6", "0"),
    Sysctl("ipv6/conf/all/accept_dad", "0"),
    Sysctl("ipv6/conf/default/accept_dad", "0"),
    Sysctl("ipv6/conf/default/accept_ra", "0"),
)
# A probe needs the answer of a closed port, and the kernel limits such answers to 1,000 a second by default.
_ANSWERS = (Sysctl("ipv4/icmp_ratemask", "0"),)
# The mask is a list of types, which also count against a limit of the whole namespace (icmpv6_global_allow).
_ANSWERS6 = (Sysctl("ipv6/icmp/ratelimit", "0"), Sysctl("ipv6/icmp/ratemask", ""))
# Reverse path filtering (a distribution's default) would drop packets that no policy denies.
_MACHINE = (Sysctl("ipv4/conf/all/rp_filter", "0"), Sysctl("ipv4/conf/default/rp_filter", "0"))
_ROUTER = (
    Sysctl("ipv4/ip_forward", "1"),
    Sysctl("ipv4/conf/all/send_redirects", "0"),
    Sysctl("ipv4/conf/default/send_redirects", "0"),
    # Without these two, frames between two pods of one bridge pass no hook of nftables' inet family.
    Sysctl("bridge/bridge-nf-call-iptables", "1"),
    Sysctl("bridge/bridge-nf-call-ip6tables", "1"),
)
# A node's bridge ports need no IPv6 address. A link-local address on each would cost time and be one more way into the
# node.
_ROUTER6 = (Sysctl("ipv6/conf/all/forwarding", "1"), Sysctl("ipv6/conf/default/addr_gen_mode", "1"))
# Links that plugins make have no permanent neighbours, and a node looks for neighbours from a link-local address.
_ROUTER6_OF_PLUGINS = (_ROUTER6[0], Sysctl("ipv6/conf/default/addr_gen_mode", "0"))
MTU = 1500
"""The MTU of the underlay, and of every link that nothing makes shorter, where a lab has one machine."""

_LOOPBACK = Link("lo", "loopback", mtu=65536)


class Build:
    """The wanted items of every namespace of a lab, as they are collected.

    With a ``part``, only the namespaces of its nodes and outside hosts are wanted.
    """

    def __init__(self, lab: str, families: Sequence[int], part: Part | None = None) -> None:
        self.lab = lab
        self.families = tuple(families)
        self.part = part
        self.mtu = part.mtu if part is not None and part.peers else MTU
        self._items: dict[str, set[Item]] = defaultdict(set)

    def nodes(self, cluster: Cluster) -> Sequence[Node]:
        """Return the wanted nodes of a cluster."""
        return cluster.nodes if self.part is None else [node for node in cluster.nodes if self.part.has(node)]

    def hosts(self, cluster: Cluster) -> Sequence[Host]:
        """Return the wanted outside hosts of a cluster."""
        return cluster.hosts if self.part is None else [host for host in cluster.hosts if self.part.has(host)]

    def pods(self, cluster: Cluster) -> Sequence[Pod]:
        """Return the pods of the wanted nodes of a cluster."""
        if self.part is None:
            return cluster.pods
        here = {node.name for node in self.nodes(cluster)}
        return [pod for pod in cluster.pods if pod.node in here]

    def mtus(self, network: Network, mtu: int) -> tuple[int, int]:
        """Return the MTU of a pod's link, and of its routes (0: that of the link), for pods with the MTU ``mtu``."""
        return (self.mtu, mtu) if network.traits.wiring.mtu_place == "route" else (mtu, 0)

    def mtu_of_pods(self, network: Network, fitting: int) -> int:
        """Return the MTU of a network's pods: the one that the wiring chooses, else the one that fits.

        Where tunnels between machines make the underlay shorter, a choice that fitted before still fits, and one that
        was too large by some bytes still is.
        """
        chosen = network.traits.wiring.mtu
        return min(chosen, max(fitting, chosen - (MTU - self.mtu))) if chosen else fitting

    def add(self, namespace: str, *items: Item) -> None:
        """Add items to a namespace."""
        self._items[namespace].update(items)

    def veth(self, owner: str, end: Link, peer: str, other: Link) -> None:
        """Add a veth pair. It is created from the namespace ``owner``, best the one with more links."""
        self.add(owner, replace(end, peer=(peer, other.name), owner=True))
        self.add(peer, replace(other, peer=(owner, end.name)))

    def bare(self, namespace: str, families: Sequence[int] | None = None) -> None:
        """Add a namespace with a loopback; its IPv6 is off where 6 is not among ``families`` (by default the lab's)."""
        self.add(namespace, _LOOPBACK, *(_IPV6 if 6 in self._of(families) else _NO_IPV6))

    def endpoint(self, namespace: str, families: Sequence[int] | None = None) -> None:
        """Add a namespace whose kernel answers every probe."""
        self.bare(namespace, families)
        self.add(namespace, *_ANSWERS, *(_ANSWERS6 if 6 in self._of(families) else ()))

    def machine(self, namespace: str, families: Sequence[int] | None = None) -> None:
        """Add the namespace of a node or an outside host, without reverse path filtering."""
        self.endpoint(namespace, families)
        self.add(namespace, *_MACHINE)

    def router(self, namespace: str, *, plugins: bool = False) -> None:
        """Add a node's namespace: it forwards, and bridged packets pass its ruleset. ``plugins`` make pods' links."""
        self.machine(namespace)
        of_ipv6 = _ROUTER6_OF_PLUGINS if plugins else _ROUTER6
        self.add(namespace, *_ROUTER, *(of_ipv6 if 6 in self.families else ()))

    def _of(self, families: Sequence[int] | None) -> Sequence[int]:
        return self.families if families is None else families

    def namespaces(self) -> dict[str, Namespace]:
        """Return all namespaces by name."""
        return {name: Namespace(name, frozenset(items)) for name, items in self._items.items()}
