"""The policy table's static part: its sets, and the chains that look packets up in them.

Per new connection and isolated side a packet pays two map lookups (identity, class) and at most three hash lookups,
twice where it is denied; what follows on it pays one lookup of its state. How much policy there is changes the
elements, never the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.objects.topology import TopologyPolicy
from netlab.ruleset import publish
from netlab.ruleset.elements import Set, Table

UNDERLAY = "underlay0"
"""The node's interface on the underlay: what leaves by it leaves the cluster's pod networks."""

_DEFAULT = TopologyPolicy()
_ICMP = {4: 1, 6: 58}

CONTROL_PROTOCOL = 253
"""The IP protocol of netlab's control probe: set aside for experiments (RFC 3692), in no NetworkPolicy's reach."""

_DENY = {"drop": "counter drop", "reject": "counter reject with icmpx admin-prohibited"}

_NEIGHBOURS = (
    "nd-router-solicit",
    "nd-router-advert",
    "nd-neighbor-solicit",
    "nd-neighbor-advert",
    "nd-redirect",
)
"""ICMPv6 133-137: no policy may break neighbour discovery."""

_ABOUT = (
    "An address has an identity: a mark that says which peers of the policies it matches. A pod of this node has a",
    "class for each direction in which policies isolate it: a classid that says which ones. A new connection passes",
    "where the pod's class allows the peer's identity on the port; replies and related errors pass with theirs.",
    "A pod's packets to itself stay in its own namespace, the node's to its own pods go by output: neither comes here.",
)


def policy_table(
    families: Sequence[int],
    *,
    several: bool = False,
    publishes: bool = False,
    settings: TopologyPolicy = _DEFAULT,
) -> Table:
    """Return the table that enforces policy and masquerades, for the IP families (4, 6) of the cluster.

    ``several``: the cluster has more than one pod network, and packets may not go from one to another.
    ``publishes``: some pod has a port published on its node.
    ``settings``: the choices that Kubernetes leaves open.
    """
    sets: list[Set] = []
    for f in families:
        address = f"ipv{f}_addr"
        sets += [
            Set(f"id{f}", address, "mark", about="identity of every pod that some peer matches"),
            Set(f"cidr{f}", address, "mark", True, "identity of every other address that some ipBlock matches"),
            Set(f"in{f}", address, "classid", about="class of this node's pods that are isolated for ingress"),
            Set(f"eg{f}", address, "classid", about="class of this node's pods that are isolated for egress"),
            Set(f"masq{f}", address, interval=True, about="pod networks that leave the cluster as their node"),
        ]
        if several:
            about = "every two pod networks, as from and to: nothing goes from one to the other"
            sets.append(Set(f"apart{f}", f"{address} . {address}", interval=True, about=about))
    if publishes:
        sets += publish.sets(families)
    for way, word in (("in", "from"), ("eg", "to")):
        sets += [
            Set(f"{way}_l3", "classid . mark", about=f"allowed {word} an identity: every protocol and port"),
            Set(f"{way}_l4", "classid . inet_proto . inet_service", about=f"allowed {word} anywhere: one port"),
            Set(
                f"{way}_l3l4",
                "classid . mark . inet_proto . inet_service",
                about=f"allowed {word} an identity: one port",
            ),
            Set(f"{way}_slow", "classid", about="classes that have port ranges: only these look there"),
            Set(
                f"{way}_l4_ranges",
                "classid . inet_proto . inet_service",
                interval=True,
                about=f"allowed {word} anywhere: a range of ports",
            ),
            Set(
                f"{way}_l3l4_ranges",
                "classid . mark . inet_proto . inet_service",
                interval=True,
                about=f"allowed {word} an identity: a range of ports",
            ),
        ]
    ways = [_way("in", "ingress", families, settings), _way("eg", "egress", families, settings)]
    parts = [*([_apart()] if several else []), _forward(families, several, publishes, settings), _control()]
    if settings.own_node == "enforce":
        parts += _own_node(families, settings)
    if publishes:
        parts += [_chain(*chain) for chain in publish.chains(families)]
    parts.append(_nat(families, publishes))
    return Table("inet", tuple(sets), "\n".join([*ways, *parts]), _ABOUT)


def _chain(name: str, rules: Sequence[str], about: str = "") -> str:
    lines = [f"\t# {about}"] if about else []
    return "\n".join([*lines, f"\tchain {name} {{", *(f"\t\t{rule}" for rule in rules), "\t}"]) + "\n"


def _ip(family: int) -> str:
    return "ip" if family == 4 else "ip6"


def _from(family: int, settings: TopologyPolicy) -> str:
    """Who opened the packet's connection: where every packet is judged, a reply is by what it replies to."""
    return f"ct original {_ip(family)} saddr" if settings.established == "reevaluate" else f"{_ip(family)} saddr"


def _to(family: int, settings: TopologyPolicy) -> str:
    """Whom the packet's connection goes to: after DNAT, which replies come from."""
    return f"ct reply {_ip(family)} saddr" if settings.established == "reevaluate" else f"{_ip(family)} daddr"


def _way(way: str, direction: str, families: Sequence[int], settings: TopologyPolicy) -> str:
    """One direction: ``meta priority`` holds the pod's class, a mark takes the peer's identity.

    The mark is the connection's, but where every packet is judged: two of one connection may be in here at once, on
    different processors, so each has its own. Ports are always looked up with their protocol, as ``th dport`` of ICMP
    reads its checksum; a reply comes from the port that its connection went to.

    A transaction is in force at one moment, but not for a packet that looks up its class before that moment and the
    identity after it: sets are read as they are then, and nobody has allowed an old class a new identity. In a flood of
    80,000 packets a second every fiftieth change lost one that was allowed before and after. So a packet that would be
    denied is asked for once more, from its class on; by then the change is in force for all that it looks up.
    """
    again = settings.established == "reevaluate"
    mark = "meta mark" if again else "ct mark"
    ports = [("ct direction original ", "dport"), ("ct direction reply ", "sport")] if again else [("", "dport")]
    peer = _from if way == "in" else _to
    identity = [f"{mark} set 0x0"]
    for f in families:
        identity += [
            f"{mark} set {peer(f, settings)} map @id{f}",
            f"{mark} 0x0 {mark} set {peer(f, settings)} map @cidr{f}",
        ]

    def looked_up(suffix: str) -> list[str]:
        return [
            f"{guard}{key} . meta l4proto . th {port} @{way}_{name}{suffix} return"
            for key, name in (("meta priority", "l4"), (f"meta priority . {mark}", "l3l4"))
            for guard, port in ports
        ]

    def once(again: str, end: str) -> list[str]:
        """Return the look-ups, in chains of their own for each time they are done; ``end`` is for what they deny."""
        allowed = [
            f"meta priority . {mark} @{way}_l3 return",
            *looked_up(""),
            f"meta priority @{way}_slow goto {way}_ranges{again}",
        ]
        return [
            _chain(f"{way}_ranges{again}", [*looked_up("_ranges"), f"goto {end}"]),
            _chain(f"{direction}_class{again}", [*identity, *allowed, f"goto {end}"]),
        ]

    own = _to if way == "in" else _from
    second = [f"meta priority set {own(f, settings)} map @{way}{f} goto {direction}_class_again" for f in families]
    about = "a change may have come between two look-ups: nothing is denied before all are done again"
    return "\n".join(
        [
            _chain(f"deny_{way}", [_DENY[settings.deny]]),
            *once("_again", f"deny_{way}"),
            _chain(f"{way}_again", second, about),
            *once("", f"{way}_again"),
        ]
    )


def _apart() -> str:
    """Between two networks only what was sent to a published port passes; the control probe is never of that kind.

    An untracked packet has no ``ct status``, so its rule ends there and the next one drops it.
    """
    about = "from one pod network to another; a published port is the node's, and open to both"
    return _chain("apart", ["ct status dnat return", "counter drop"], about)


def _forward(families: Sequence[int], several: bool, publishes: bool, settings: TopologyPolicy) -> str:
    """Both sides of every new connection: the sender's egress first, then the receiver's ingress.

    A map without the address ends its rule, so "set ... map ... jump" reads "if isolated, then check".
    """
    rules = [
        "type filter hook forward priority filter; policy accept;",
        *(f"{_ip(f)} saddr . {_ip(f)} daddr @apart{f} jump apart" for f in families if several),
        *_neighbours(families),
        *(f"{_ip(f)} saddr . {_ip(f)} daddr @self{f} accept" for f in families if publishes),
        *_passing(families, settings),
        *(f"meta priority set {_from(f, settings)} map @eg{f} jump egress_class" for f in families),
        *(f"meta priority set {_to(f, settings)} map @in{f} jump ingress_class" for f in families),
        *_cleared(settings),
    ]
    about = "after DNAT and before SNAT; bridged packets come by through br_netfilter"
    return _chain("forward", rules, about)


def _neighbours(families: Sequence[int]) -> list[str]:
    return [f"icmpv6 type {{ {', '.join(_NEIGHBOURS)} }} accept"] if 6 in families else []


def _passing(families: Sequence[int], settings: TopologyPolicy) -> list[str]:
    """What no policy is asked about."""
    replies = "" if settings.established == "reevaluate" else "established : accept, "
    return [
        f"ct state vmap {{ {replies}related : accept, invalid : drop, untracked : accept }}",
        *(f"meta l4proto {_ICMP[f]} accept" for f in families if settings.icmp == "allow"),
    ]


def _cleared(settings: TopologyPolicy) -> list[str]:
    return ["meta priority set none", *(["meta mark set 0x0"] if settings.established == "reevaluate" else [])]


def _own_node(families: Sequence[int], settings: TopologyPolicy) -> Iterator[str]:
    """The sender's egress before what is for the node itself; where every packet is judged, before its replies too."""
    for hook in ("input", "output") if settings.established == "reevaluate" else ("input",):
        rules = [
            f"type filter hook {hook} priority filter; policy accept;",
            *_neighbours(families),
            *_passing(families, settings),
            *(f"meta priority set {_from(f, settings)} map @eg{f} jump egress_class" for f in families),
            *_cleared(settings),
        ]
        yield _chain(f"own_node_{hook}", rules, "from a pod of this node to the node itself")


def _control() -> str:
    """The control probe is not tracked: it leaves no conntrack entry and passes forward as ``untracked``."""
    notrack = f'meta l4proto {CONTROL_PROTOCOL} notrack comment "control probe: proves the path, not the policy"'
    return "\n".join(
        _chain(f"control_{hook}", [f"type filter hook {hook} priority raw; policy accept;", notrack])
        for hook in ("prerouting", "output")
    )


def _nat(families: Sequence[int], publishes: bool) -> str:
    rules = [
        "type nat hook postrouting priority srcnat; policy accept;",
        *(f'oifname "{UNDERLAY}" {_ip(f)} saddr @masq{f} {_ip(f)} daddr != @masq{f} masquerade' for f in families),
        *(publish.masquerades(families) if publishes else []),
    ]
    return _chain("masquerade_pods", rules, "what leaves these networks for anywhere else does so as its node")
