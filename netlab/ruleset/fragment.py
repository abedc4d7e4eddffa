"""Fragments: what a ruleset is made of. Each is one value with its sets, its chains and the elements of its sets.

The compiler knows no fragment by name. ``netlab/ruleset/fragments`` has one file for each, and the list of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Set
from enum import IntEnum
from typing import NamedTuple, Protocol

from netlab.cluster.types import Cluster, Network, Node, Pod
from netlab.frozen import frozen
from netlab.objects.topology import TopologyPolicy
from netlab.ruleset.change import Change
from netlab.ruleset.elements import Element, Key
from netlab.ruleset.sets import Sets
from netlab.ruleset.tables import Hook, Parts, TableName

_ABOUT = (
    "An address has an identity: a mark that says which peers of the policies it matches. A pod of this node has a",
    "class for each direction in which policies isolate it: a classid that says which ones. A new connection passes",
    "where the pod's class allows the peer's identity on the port; replies and related errors pass with theirs.",
    "A pod's packets to itself stay in its own namespace, the node's to its own pods go by output: neither comes here.",
)

NETLAB = TableName("inet", "netlab", _ABOUT)
"""The table of policy and of all address translation."""

FORWARD = Hook("filter", "forward", "filter")
"""The hook of chain ``forward`` in ``NETLAB``: after DNAT and before SNAT; bridged packets enter by br_netfilter."""

POSTROUTING = Hook("nat", "postrouting", "srcnat")
"""The hook of chain ``masquerade_pods`` in ``NETLAB``."""


class Place(IntEnum):
    """Where rules stand in chain ``forward``; a fragment may take any number between.

    What stands before ``STATE`` sees every packet of a connection, what stands after it only what opens one (where
    ``established`` is ``reevaluate``: all).
    """

    APART = 100
    NEIGHBOURS = 200
    EXEMPT = 300
    STATE = 400
    POLICY = 500
    CLEAR = 600


@frozen
class Port:
    """The node's end of a pod's link: its interface name there, and the pod's MAC address."""

    ifname: str
    mac: str


PortOf = Callable[[Pod], Port]


@frozen
class Layout:
    """What a lab's clusters share from change to change; where a field differs, all is compiled anew.

    ``port_of`` returns the node's end of a pod's link, None where links are not known.
    """

    lab: str
    networks: tuple[Network, ...]
    nodes: tuple[Node, ...]
    families: tuple[int, ...]
    policy: TopologyPolicy
    port_of: PortOf | None = None

    @classmethod
    def of(cls, cluster: Cluster, port_of: PortOf | None) -> Layout:
        """Return the layout of a cluster. One without networks has the tables of IPv4."""
        return cls(
            cluster.name, cluster.networks, cluster.nodes, tuple(cluster.families) or (4,), cluster.policy, port_of
        )


class Entry(NamedTuple):
    """An element with the name of its set and its key."""

    set: str
    key: Key
    element: Element


@frozen
class Stores:
    """Where the elements of a lab's rulesets are: those that every node has, and those of each node by its name."""

    everywhere: Sets
    nodes: Mapping[str, Sets]


class Follower(Protocol):
    """Keeps the elements of a fragment that depend on more than one pod."""

    def follow(self, change: Change) -> bool:
        """Put and take elements so that they are those of ``change.after``; False where all has to be done anew.

        The first change is from nothing. Elements are a function of the cluster alone, whatever was before; comments
        may be older.
        """
        ...

    def notes(self, node: str) -> Mapping[str, tuple[str, ...]]:
        """Return lines for readers of a node's text on what is deliberately not in a set, by its name."""
        ...


def always(_: Layout, __: Set[str]) -> Hashable:
    """Declare the fragment in every lab."""
    return ()


@frozen
class Fragment:
    """One part of the rulesets of a lab's nodes.

    ``variant`` says which of its forms a fragment has in a lab, None where it has no part in it. It is asked with the
    names of all sets that have an element on any node. ``declare`` returns the sets and chains of a variant.

    Elements come from four functions, each of which may be missing: ``everywhere`` (the same on every node),
    ``of_node``, ``of_pod`` (on the pod's node; asked again only for pods that change), and ``follower``, which makes
    the one that follows the whole cluster from change to change.
    """

    name: str
    table: TableName
    declare: Callable[[Layout, Hashable], Parts]
    variant: Callable[[Layout, Set[str]], Hashable] = always
    everywhere: Callable[[Layout], Iterable[Entry]] | None = None
    of_node: Callable[[Layout, Node], Iterable[Entry]] | None = None
    of_pod: Callable[[Layout, Pod], Iterable[Entry]] | None = None
    follower: Callable[[Layout, Stores], Follower] | None = None


def ip(family: int) -> str:
    """Return nft's word for the header of an IP family."""
    return "ip" if family == 4 else "ip6"
