"""Fragments: the parts of rulesets. A fragment is one value with sets, chains and the elements of its sets.

``netlab/ruleset/fragments`` has a file for each fragment, and the list of all. The compiler names no fragment.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Set
from enum import IntEnum
from typing import Protocol

from netlab.cluster.types import Cluster, Network, Node, Pod
from netlab.frozen import NamedTuple, frozen
from netlab.objects.topology import TopologyPolicy
from netlab.ruleset.cluster_change import ClusterChange
from netlab.ruleset.element_store import ElementStore
from netlab.ruleset.elements import Element, Key
from netlab.ruleset.tables import Hook, Parts, TableName

_ABOUT = (
    "An address has an identity: a mark for the peers of policies that match it. A pod of this node has a class for",
    "each direction in which policies isolate it: a classid for these policies. A new connection passes if the pod's",
    "class allows the peer's identity on the port. Replies and related errors pass with their connection. A pod's",
    "packets to itself stay in its namespace, and a node's packets to its pods use output: chain forward sees neither.",
)

NETLAB = TableName("inet", "netlab", _ABOUT)
"""The table of policy and of address translation."""

FORWARD = Hook("filter", "forward", "filter")
"""The hook of chain ``forward`` in ``NETLAB``: after DNAT and before SNAT. br_netfilter brings bridged packets here."""

POSTROUTING = Hook("nat", "postrouting", "srcnat")
"""The hook of chain ``masquerade_pods`` in ``NETLAB``."""


class Place(IntEnum):
    """Places of rules in chain ``forward``; a fragment may use any number between them.

    Rules before ``STATE`` see every packet of a connection. Rules after it see only the packet that opens a connection,
    or every packet if ``established`` is ``reevaluate``.
    """

    APART = 100
    NEIGHBOURS = 200
    EXEMPT = 300
    STATE = 400
    POLICY = 500
    CLEAR = 600


@frozen
class Port:
    """The node's end of a pod's link: the interface name on the node, and the pod's MAC address."""

    ifname: str
    mac: str


PortOf = Callable[[Pod], Port]


@frozen
class Layout:
    """The parts of a cluster that stay the same while it changes; if one differs, everything is compiled anew.

    ``families`` are IP families (4, 6). ``port_of`` returns the node's end of a pod's link; it is None if links are not
    known. ``node_ports`` are the lowest and the highest node port.
    """

    lab: str
    networks: tuple[Network, ...]
    nodes: tuple[Node, ...]
    families: tuple[int, ...]
    policy: TopologyPolicy
    port_of: PortOf | None = None
    node_ports: tuple[int, int] = (30000, 32767)

    @classmethod
    def of(cls, cluster: Cluster, port_of: PortOf | None) -> Layout:
        """Return the layout of a cluster. Without networks the family is IPv4."""
        families = tuple(cluster.families) or (4,)
        return cls(cluster.name, cluster.networks, cluster.nodes, families, cluster.policy, port_of, cluster.node_ports)


class Entry(NamedTuple):
    """An element with the name of its set and its key."""

    set: str
    key: Key
    element: Element


@frozen
class Stores:
    """The elements of a lab's rulesets: those of every node, and those of each node by its name."""

    everywhere: ElementStore
    nodes: Mapping[str, ElementStore]


class ElementUpdater(Protocol):
    """Updates the elements of a fragment that depend on more than one pod."""

    def update(self, change: ClusterChange) -> bool:
        """Put and remove elements so that they are those of ``change.after``.

        Return False if everything must be compiled anew. The first change has no cluster before it. Elements are a
        function of the cluster alone; only their comments may be older.
        """
        ...

    def notes(self, node: str) -> Mapping[str, tuple[str, ...]]:
        """Return, by set, comment lines for a node's text about pods that have no element."""
        ...


def always(_: Layout, __: Set[str]) -> Hashable:
    """Return the one variant of a fragment that every lab has."""
    return ()


@frozen
class Fragment:
    """One part of the rulesets of a lab's nodes.

    ``variant`` takes the layout and the names of all sets that have an element on any node. It returns the variant that
    the lab has, or None if the lab does not have the fragment. ``declare`` returns the sets and chains of a variant.

    Four optional functions return elements: ``everywhere`` those of every node, ``of_node`` those of one node,
    ``of_pod`` those of a pod on its node (called again only if the pod changes). ``updater`` returns an
    ``ElementUpdater``, which takes each change of the cluster.
    """

    name: str
    table: TableName
    declare: Callable[[Layout, Hashable], Parts]
    variant: Callable[[Layout, Set[str]], Hashable] = always
    everywhere: Callable[[Layout], Iterable[Entry]] | None = None
    of_node: Callable[[Layout, Node], Iterable[Entry]] | None = None
    of_pod: Callable[[Layout, Pod], Iterable[Entry]] | None = None
    updater: Callable[[Layout, Stores], ElementUpdater] | None = None


def ip(family: int) -> str:
    """Return nft's keyword for an IP family: ``ip`` or ``ip6``."""
    return "ip" if family == 4 else "ip6"
